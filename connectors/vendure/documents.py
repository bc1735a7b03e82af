"""Vendure documents: every GraphQL document, checked in tests against its schema."""

_ORDER = """
fragment Precision on Query { globalSettings { serverConfig { moneyStrategyPrecision } } }
fragment OrderParts on Order {
  id code state updatedAt orderPlacedAt createdAt
  customer { id }
  currencyCode total totalWithTax shippingWithTax discounts { amountWithTax }
  lines {
    id quantity orderPlacedQuantity productVariant { sku name }
    unitPriceWithTax linePriceWithTax proratedLinePriceWithTax lineTax
  }
  payments {
    updatedAt
    refunds { id state total reason createdAt updatedAt lines { orderLineId quantity } }
  }
  fulfillments { id state updatedAt lines { orderLineId quantity } customFields { serials } }
}
"""

CHECK = """
query Check($location: ID!) {
  stockLocation(id: $location) { id }
  fulfillmentHandlers { code }
  orders(options: { take: 1 }) { totalItems }
  productVariants(options: { take: 1 }) { totalItems }
}
"""

ORDERS = (
    """
query Orders($options: OrderListOptions) {
  ...Precision
  orders(options: $options) { totalItems items { ...OrderParts } }
}
"""
    + _ORDER
)

ORDER = (
    """
query Order($id: ID!) { ...Precision order(id: $id) { ...OrderParts } }
"""
    + _ORDER
)

BUYER = """
query Buyer($id: ID!) {
  order(id: $id) { id customer { id firstName lastName phoneNumber emailAddress } }
}
"""

VARIANTS = """
query Variants($options: ProductVariantListOptions) {
  globalSettings { trackInventory }
  productVariants(options: $options) {
    totalItems
    items { id sku name trackInventory stockLevels { stockLocationId stockOnHand stockAllocated } }
  }
}
"""

SET_STOCK = """
mutation SetStock($input: [UpdateProductVariantInput!]!) {
  updateProductVariants(input: $input) {
    id stockLevels { stockLocationId stockOnHand stockAllocated }
  }
}
"""

FULFILL = """
mutation Fulfill($input: FulfillOrderInput!) {
  addFulfillmentToOrder(input: $input) {
    __typename
    ... on Fulfillment { id state }
    ... on ErrorResult { errorCode message }
  }
}
"""

SHIP = """
mutation Ship($id: ID!, $state: String!) {
  transitionFulfillmentToState(id: $id, state: $state) {
    __typename
    ... on Fulfillment { id state }
    ... on ErrorResult { errorCode message }
  }
}
"""

CANCEL = """
mutation Cancel($input: CancelOrderInput!) {
  cancelOrder(input: $input) {
    __typename
    ... on Order { id state }
    ... on ErrorResult { errorCode message }
  }
}
"""

PAYMENTS = """
query Payments($id: ID!) {
  globalSettings { serverConfig { moneyStrategyPrecision } }
  order(id: $id) {
    id code state currencyCode
    payments { id state amount refunds { id state total reason } }
  }
}
"""

REFUND = """
mutation Refund($input: RefundOrderInput!) {
  refundOrder(input: $input) {
    __typename
    ... on Refund { id state total reason }
    ... on ErrorResult { errorCode message }
  }
}
"""

ALL = (
    CHECK,
    ORDERS,
    ORDER,
    BUYER,
    VARIANTS,
    SET_STOCK,
    FULFILL,
    SHIP,
    CANCEL,
    PAYMENTS,
    REFUND,
)
