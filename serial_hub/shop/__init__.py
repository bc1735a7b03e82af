"""An example shop: pages of another origin that reserve, check out and show live stock.

It is what a shop developer copies from, and what the demo opens: plain JavaScript with urql, the
documents that it asks in files, and a small server that confirms payments.
"""
