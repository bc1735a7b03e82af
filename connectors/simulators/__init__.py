"""The other side of the wire: stateful twins of remote APIs, served over real HTTP.

They import nothing of the hub. Tests and the demo tell them what happens: an order is placed, stock
changes behind our back, webhooks get lost, the next call fails.
"""

from connectors.simulators.amazon import AmazonTwin
from connectors.simulators.apple import AppleTwin
from connectors.simulators.bigcommerce import BigCommerceTwin
from connectors.simulators.ebay import EbayTwin
from connectors.simulators.epcis import EpcisTwin
from connectors.simulators.gudid import GudidTwin
from connectors.simulators.lightspeed import LightspeedTwin
from connectors.simulators.makers import CiscoTwin, DellTwin, HpTwin, LenovoTwin
from connectors.simulators.medusa import MedusaTwin
from connectors.simulators.notices import NoticeTwin
from connectors.simulators.saleor import SaleorTwin
from connectors.simulators.serving import serve
from connectors.simulators.shopify import ShopifyTwin
from connectors.simulators.square import SquareTwin
from connectors.simulators.twin import Fault, Webhook
from connectors.simulators.vendure import VendureTwin
from connectors.simulators.walmart import WalmartTwin
from connectors.simulators.warranty import WarrantyTwin
from connectors.simulators.woocommerce import WooCommerceTwin

__all__ = [
    "AmazonTwin",
    "AppleTwin",
    "BigCommerceTwin",
    "CiscoTwin",
    "DellTwin",
    "EbayTwin",
    "EpcisTwin",
    "Fault",
    "GudidTwin",
    "HpTwin",
    "LenovoTwin",
    "LightspeedTwin",
    "MedusaTwin",
    "NoticeTwin",
    "SaleorTwin",
    "ShopifyTwin",
    "SquareTwin",
    "VendureTwin",
    "WalmartTwin",
    "WarrantyTwin",
    "Webhook",
    "WooCommerceTwin",
    "serve",
]
