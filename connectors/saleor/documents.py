"""Saleor documents: every GraphQL document, checked in tests against the official schema."""

_ORDER = """
fragment OrderParts on Order {
  id number created updatedAt status chargeStatus authorizeStatus
  user { id } channel { slug } customerNote displayGrossPrices
  total { currency ...Taxed } undiscountedTotal { ...Taxed } shippingPrice { ...Taxed }
  totalRefunded { amount }
  fulfillments { status serials: privateMetafield(key: "serial_hub.serials") }
  lines {
    id productSku productName variantName quantity quantityFulfilled quantityToFulfill
    isShippingRequired
    variant { product { productType { kind } } }
    undiscountedUnitPrice { ...Taxed } undiscountedTotalPrice { ...Taxed } totalPrice { ...Taxed }
  }
}
fragment Taxed on TaxedMoney { gross { amount } net { amount } tax { amount } }
"""
_SHIPPED = """
fragment FulfillmentParts on Fulfillment {
  id status created trackingNumber
  lines { quantity orderLine { id } }
  reference: privateMetafield(key: "serial_hub.reference")
  serials: privateMetafield(key: "serial_hub.serials")
}
"""

CHECK = """
query Check($warehouse: ID!) {
  app { id isActive permissions { code } }
  warehouse(id: $warehouse) { id }
}
"""

ORDERS = (
    """
query Orders($first: Int!, $after: String, $filter: OrderFilterInput, $sort: OrderSortingInput) {
  orders(first: $first, after: $after, filter: $filter, sortBy: $sort) {
    edges { node { ...OrderParts } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
    + _ORDER
)

ORDER = "query Order($id: ID!) { order(id: $id) { ...OrderParts } }\n" + _ORDER

BUYER = """
query Buyer($id: ID!) {
  order(id: $id) { id userEmail billingAddress { firstName lastName phone } }
}
"""

FULFILLMENTS = (
    """
query Fulfillments($id: ID!) {
  order(id: $id) {
    id number updatedAt status channel { slug } fulfillments { ...FulfillmentParts }
  }
}
"""
    + _SHIPPED
)

CHANGED = (
    """
query Changed($first: Int!, $after: String, $filter: OrderFilterInput, $sort: OrderSortingInput) {
  orders(first: $first, after: $after, filter: $filter, sortBy: $sort) {
    edges {
      node { id number updatedAt status channel { slug } fulfillments { ...FulfillmentParts } }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""
    + _SHIPPED
)

VARIANTS = """
query Variants($first: Int!, $after: String, $ids: [ID!]) {
  productVariants(first: $first, after: $after, ids: $ids) {
    edges {
      node {
        id sku name trackInventory
        product { name }
        stocks { quantity quantityAllocated warehouse { id } }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""

SET_STOCK = """
mutation SetStock($stocks: [StockBulkUpdateInput!]!) {
  stockBulkUpdate(stocks: $stocks, errorPolicy: REJECT_FAILED_ROWS) {
    results {
      stock { quantity quantityAllocated productVariant { id } }
      errors { code field message }
    }
    errors { code field message }
  }
}
"""

FULFILL = """
mutation Fulfill($order: ID!, $input: OrderFulfillInput!) {
  orderFulfill(order: $order, input: $input) {
    fulfillments { id }
    errors { code field message }
  }
}
"""

NAME_SERIALS = """
mutation NameSerials($id: ID!, $input: [MetadataInput!]!) {
  updatePrivateMetadata(id: $id, input: $input) { errors { code field message } }
}
"""

CANCEL = """
mutation Cancel($id: ID!) {
  orderCancel(id: $id) { order { status } errors { code field message } }
}
"""

PAYMENTS = """
query Payments($id: ID!) {
  order(id: $id) {
    id total { currency gross { amount } }
    grantedRefunds { id status reason }
    transactions { id name actions chargedAmount { amount } }
  }
}
"""

GRANT_REFUND = """
mutation GrantRefund($id: ID!, $input: OrderGrantRefundCreateInput!) {
  orderGrantRefundCreate(id: $id, input: $input) {
    grantedRefund { id status reason }
    errors { code field message }
  }
}
"""

REQUEST_REFUND = """
mutation RequestRefund($id: ID!) {
  transactionRequestRefundForGrantedRefund(grantedRefundId: $id) {
    errors { code field message }
  }
}
"""

ALL = (
    PAYMENTS,
    GRANT_REFUND,
    REQUEST_REFUND,
    CHECK,
    ORDERS,
    ORDER,
    BUYER,
    FULFILLMENTS,
    CHANGED,
    VARIANTS,
    SET_STOCK,
    FULFILL,
    NAME_SERIALS,
    CANCEL,
)
