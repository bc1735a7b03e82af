"""Shopify documents: every GraphQL document, checked in tests against the official schema."""

# A query's cost is the product of its nested page sizes, a thousand points at most: an order is
# six objects without its lines, and a line nine with its taxes. Most orders have few lines.
ORDERS_PER_PAGE = 10
LINES_PER_PAGE = 8
MORE_LINES = 50  # of one order

_ORDER = """
fragment OrderParts on Order {
  id name createdAt updatedAt cancelledAt sourceName sourceIdentifier test
  displayFinancialStatus displayFulfillmentStatus
  customer { id }
  retailLocation { id }
  currencyCode taxesIncluded totalPrice totalDiscounts totalTax totalShippingPrice totalRefunded
  note
  metafield(namespace: "serial_hub", key: "serials") { value }
  lineItems(first: $lines) { ...LineParts }
}
"""
_LINES = """
fragment LineParts on LineItemConnection {
  nodes {
    id sku name currentQuantity unfulfilledQuantity isGiftCard requiresShipping
    product { id }
    originalUnitPrice
    discountAllocations { allocatedAmount { amount } }
    taxLines(first: 5) { price }
  }
  pageInfo { hasNextPage endCursor }
}
"""
_QUANTITY = """
fragment QuantityParts on InventoryItem {
  id
  inventoryLevel(locationId: $location) { quantities(names: ["available"]) { name quantity } }
}
"""

CHECK = """
query Check($location: ID!) {
  currentAppInstallation { accessScopes { handle } }
  location(id: $location) { id }
}
"""

ORDERS = (
    """
query Orders(
  $first: Int!, $after: String, $sort: OrderSortKeys!, $query: String, $lines: Int!,
  $staff: Boolean!
) {
  orders(first: $first, after: $after, sortKey: $sort, query: $query) {
    nodes { ...OrderParts staffMember @include(if: $staff) { id } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
    + _ORDER
    + _LINES
)

ORDER = (
    """
query Order($id: ID!, $lines: Int!, $staff: Boolean!) {
  order(id: $id) { ...OrderParts staffMember @include(if: $staff) { id } }
}
"""
    + _ORDER
    + _LINES
)

LINES = (
    """
query Lines($id: ID!, $lines: Int!, $after: String) {
  order(id: $id) { lineItems(first: $lines, after: $after) { ...LineParts } }
}
"""
    + _LINES
)

ITEMS = (
    """
query Items($first: Int!, $after: String, $location: ID!) {
  inventoryItems(first: $first, after: $after) {
    nodes { sku tracked variants(first: 1) { nodes { displayName } } ...QuantityParts }
    pageInfo { hasNextPage endCursor }
  }
}
"""
    + _QUANTITY
)

QUANTITIES = (
    """
query Quantities($ids: [ID!]!, $location: ID!) {
  nodes(ids: $ids) { ...QuantityParts }
}
"""
    + _QUANTITY
)

BUYER = """
query Buyer($id: ID!) {
  order(id: $id) { id email phone customerLocale billingAddress { name phone } }
}
"""

TRACKED = """
query Tracked($ids: [ID!]!) { nodes(ids: $ids) { ... on InventoryItem { id tracked } } }
"""

SET_QUANTITIES = """
mutation SetQuantities($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    userErrors { code field message }
  }
}
"""

FULFILLABLE = """
query Fulfillable($id: ID!, $namespace: String!, $key: String!) {
  order(id: $id) {
    id
    metafield(namespace: $namespace, key: $key) { value compareDigest }
    fulfillments(first: 100) { id status }
    fulfillmentOrders(first: 50) {
      nodes { id status assignedLocation { location { id } } }
    }
  }
}
"""

SHIPPED_LINES = """
query ShippedLines($id: ID!, $first: Int!, $after: String) {
  fulfillment(id: $id) {
    fulfillmentLineItems(first: $first, after: $after) {
      nodes { quantity lineItem { id } }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""

OPEN_LINES = """
query OpenLines($id: ID!, $first: Int!, $after: String) {
  fulfillmentOrder(id: $id) {
    lineItems(first: $first, after: $after) {
      nodes { id remainingQuantity lineItem { id } }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""

FULFILL = """
mutation Fulfill($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) {
    fulfillment { id }
    userErrors { field message }
  }
}
"""

SET_METAFIELDS = """
mutation SetMetafields($metafields: [MetafieldsSetInput!]!) {
  metafieldsSet(metafields: $metafields) { userErrors { code field message } }
}
"""

CHANGED = """
query Changed($first: Int!, $after: String, $query: String) {
  orders(first: $first, after: $after, sortKey: UPDATED_AT, query: $query) {
    nodes {
      id updatedAt sourceName
      retailLocation { id }
      refunds(first: 1) { id }
      returns(first: 1) { nodes { id } }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""

REFUNDS = """
query Refunds($id: ID!, $first: Int!) {
  order(id: $id) {
    id updatedAt
    refunds(first: $first) {
      id createdAt note
      return { id }
      refundLineItems(first: 40) { nodes { quantity restockType lineItem { id } } }
    }
  }
}
"""

RETURNS = """
query Returns($id: ID!, $first: Int!) {
  order(id: $id) {
    returns(first: $first) {
      nodes {
        id status
        returnLineItems(first: 40) {
          nodes {
            quantity processedQuantity refundedQuantity returnReasonNote
            returnReasonDefinition { name }
            ... on ReturnLineItem { fulfillmentLineItem { lineItem { id } } }
          }
        }
        exchangeLineItems(first: 20) { nodes { lineItems { id } } }
      }
    }
  }
}
"""

CANCELLED = """
query Cancelled($id: ID!) { order(id: $id) { cancelledAt } }
"""

CANCEL = """
mutation Cancel($id: ID!, $note: String) {
  orderCancel(
    orderId: $id, reason: INVENTORY, restock: true, notifyCustomer: true, staffNote: $note,
    refundMethod: { originalPaymentMethodsRefund: true }
  ) {
    job { id }
    orderCancelUserErrors { code field message }
  }
}
"""

PAYMENTS = """
query Payments($id: ID!) {
  order(id: $id) {
    id presentmentCurrencyCode
    lineItems(first: 100) { nodes { id currentQuantity unfulfilledQuantity } }
    refunds(first: 50) { id note }
    transactions(first: 100) {
      id kind status gateway parentTransaction { id } amountSet { presentmentMoney { amount } }
    }
  }
}
"""

REFUND = """
mutation Refund($input: RefundInput!, $key: String!) {
  refundCreate(input: $input) @idempotent(key: $key) {
    refund { id }
    userErrors { field message }
  }
}
"""

# Run by the shop itself and put into a file: every line of it is one object, without any paging.
BULK_ORDERS = """
query BulkOrders($query: String) {
  orders(query: $query) {
    edges {
      node {
        id name createdAt updatedAt cancelledAt sourceName sourceIdentifier test
        displayFinancialStatus displayFulfillmentStatus
        customer { id }
        retailLocation { id }
        currencyCode taxesIncluded totalPrice totalDiscounts totalTax totalShippingPrice
        totalRefunded note
        metafield(namespace: "serial_hub", key: "serials") { value }
        lineItems {
          edges {
            node {
              id sku name currentQuantity unfulfilledQuantity isGiftCard requiresShipping
              product { id }
              originalUnitPrice discountAllocations { allocatedAmount { amount } }
              taxLines(first: 5) { price }
            }
          }
        }
      }
    }
  }
}
"""

RUN_BULK = """
mutation RunBulk($query: String!) {
  bulkOperationRunQuery(query: $query) {
    bulkOperation { id }
    userErrors { code field message }
  }
}
"""

BULK = """
query Bulk($id: ID!) { bulkOperation(id: $id) { status errorCode url } }
"""

ALL = (
    CHECK,
    ORDERS,
    ORDER,
    LINES,
    ITEMS,
    QUANTITIES,
    SET_QUANTITIES,
    FULFILLABLE,
    SHIPPED_LINES,
    OPEN_LINES,
    FULFILL,
    SET_METAFIELDS,
    CHANGED,
    REFUNDS,
    PAYMENTS,
    REFUND,
    RETURNS,
    CANCELLED,
    CANCEL,
    BULK_ORDERS,
    RUN_BULK,
    BULK,
)
