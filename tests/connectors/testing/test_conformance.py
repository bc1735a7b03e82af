"""Our connectors keep the promises of the contract."""

from collections.abc import Mapping
from typing import Any, ClassVar

from connectors.amazon.connector import Amazon
from connectors.amazon.driver import AmazonDriver
from connectors.apple.connector import Apple
from connectors.apple.driver import AppleDriver
from connectors.apple.simulator import AppleSimulator
from connectors.bigcommerce.connector import BigCommerce
from connectors.bigcommerce.driver import BigCommerceDriver
from connectors.cisco.connector import Cisco
from connectors.cisco.driver import CiscoDriver
from connectors.dell.connector import Dell
from connectors.dell.driver import DellDriver
from connectors.ebay.connector import Ebay
from connectors.ebay.driver import EbayDriver
from connectors.epcis.connector import Epcis
from connectors.epcis.driver import EpcisDriver
from connectors.gudid.connector import Gudid
from connectors.gudid.driver import GudidDriver
from connectors.hp.connector import Hp
from connectors.hp.driver import HpDriver
from connectors.lenovo.connector import Lenovo
from connectors.lenovo.driver import LenovoDriver
from connectors.lightspeed.connector import Lightspeed
from connectors.lightspeed.driver import LightspeedDriver
from connectors.medusa.connector import Medusa
from connectors.medusa.driver import MedusaDriver
from connectors.notice_rest.connector import NoticeRest
from connectors.notice_rest.driver import NoticeDriver
from connectors.saleor.connector import Saleor
from connectors.saleor.driver import SaleorDriver
from connectors.shopify.connector import Shopify
from connectors.shopify.driver import ShopifyDriver
from connectors.square.connector import Square
from connectors.square.driver import SquareDriver
from connectors.testing import ConnectorSuite
from connectors.vendure.connector import Vendure
from connectors.vendure.driver import VendureDriver
from connectors.walmart.connector import Walmart
from connectors.walmart.driver import WalmartDriver
from connectors.warranty_rest.connector import WarrantyRest
from connectors.warranty_rest.driver import WarrantyDriver
from connectors.woocommerce.connector import WooCommerce
from connectors.woocommerce.driver import WooCommerceDriver


class TestShopify(ConnectorSuite):
    connector = Shopify
    driver = ShopifyDriver
    settings: ClassVar[Mapping[str, Any]] = {
        "shop_url": "https://shop.test",
        "access_token": "shpat_not_a_real_token",
        "webhook_secret": "shopify-webhook-secret",
        "location_id": "gid://shopify/Location/1",
    }
    level_remote: ClassVar[Mapping[str, str]] = {
        "inventory_item_id": "gid://shopify/InventoryItem/1"
    }
    order_ref = "gid://shopify/Order/1"
    empty_page: ClassVar[Any] = {
        "data": {"orders": {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}}
    }


class TestSquare(ConnectorSuite):
    connector = Square
    driver = SquareDriver
    settings: ClassVar[Mapping[str, Any]] = {
        "access_token": "square-access-token",
        "location_id": "L1",
        "webhook_signature_key": "square-signature-key",
        "notification_url": "https://hub.test/webhooks/square",
    }
    level_remote: ClassVar[Mapping[str, str]] = {"catalog_object_id": "V1", "location_id": "L1"}
    empty_page: ClassVar[Any] = {}


class TestVendure(ConnectorSuite):
    connector = Vendure
    driver = VendureDriver
    settings: ClassVar[Mapping[str, Any]] = {
        "url": "https://shop.test/admin-api",
        "api_key": "vendure-api-key-value",
        "webhook_secret": "vendure-webhook-secret",
        "stock_location_id": "1",
    }
    level_remote: ClassVar[Mapping[str, str]] = {"variant_id": "1", "location_id": "1"}
    empty_page: ClassVar[Any] = {"data": {"orders": {"items": [], "totalItems": 0}}}


class TestWooCommerce(ConnectorSuite):
    connector = WooCommerce
    driver = WooCommerceDriver
    settings: ClassVar[Mapping[str, Any]] = {
        "url": "https://shop.test",
        "consumer_key": "ck_not_a_real_key",
        "consumer_secret": "cs_not_a_real_secret",
        "webhook_secret": "woocommerce-webhook-secret",
    }
    level_remote: ClassVar[Mapping[str, str]] = {"product_id": "1"}
    empty_page: ClassVar[Any] = []


class TestWooCommerceWithoutTls(TestWooCommerce):
    driver = None  # the cases are played once, over plain http
    settings: ClassVar[Mapping[str, Any]] = {**TestWooCommerce.settings, "url": "http://shop.test"}


class TestLightspeed(ConnectorSuite):
    connector = Lightspeed
    driver = LightspeedDriver
    settings: ClassVar[Mapping[str, Any]] = {
        "url": "https://store.test",
        "access_token": "lightspeed-access-token",
        "webhook_secret": "lightspeed-client-secret",
        "outlet_id": "00000000-0000-4000-8000-000000000001",
    }
    level_remote: ClassVar[Mapping[str, str]] = {"product_id": "P1"}
    empty_page: ClassVar[Any] = {"data": [], "version": {"min": 0, "max": 0}}


class TestBigCommerce(ConnectorSuite):
    connector = BigCommerce
    driver = BigCommerceDriver
    settings: ClassVar[Mapping[str, Any]] = {
        "store_hash": "abc123",
        "access_token": "bigcommerce-access-token",
        "client_secret": "bigcommerce-client-secret",
    }
    level_remote: ClassVar[Mapping[str, str]] = {"variant_id": "1", "product_id": "2"}
    empty_page: ClassVar[Any] = []


class TestEbay(ConnectorSuite):
    connector = Ebay
    driver = EbayDriver
    settings: ClassVar[Mapping[str, Any]] = {
        "client_id": "an-application",
        "client_secret": "ebay-client-secret",
        "refresh_token": "ebay-refresh-token",
        "verification_token": "ebay-verification-token-of-32-letters",
        "notification_url": "https://hub.test/webhooks/ebay",
    }
    level_remote: ClassVar[Mapping[str, str]] = {"sku": "A-1"}
    empty_page: ClassVar[Any] = {"access_token": "t", "expires_in": 7200, "total": 0}


class TestMedusa(ConnectorSuite):
    connector = Medusa
    driver = MedusaDriver
    settings: ClassVar[Mapping[str, Any]] = {
        "base_url": "https://shop.test",
        "api_key": "sk_not_a_real_key",
        "webhook_secret": "medusa-webhook-secret",
        "stock_location_id": "sloc_1",
    }
    level_remote: ClassVar[Mapping[str, str]] = {"inventory_item_id": "iitem_1"}
    empty_page: ClassVar[Any] = {"orders": [], "returns": [], "count": 0}


class TestAmazon(ConnectorSuite):
    connector = Amazon
    driver = AmazonDriver
    settings: ClassVar[Mapping[str, Any]] = {
        "client_id": "amzn1.application-oa2-client.1",
        "client_secret": "amazon-client-secret",
        "refresh_token": "Atzr-refresh-token",
        "seller_id": "A2SELLER",
        "marketplace_ids": ["ATVPDKIKX0DER"],
        "queue_url": "https://sqs.us-east-1.amazonaws.com/1/notices",
        "queue_access_key_id": "AKIDQUEUE",
        "queue_secret_access_key": "amazon-queue-secret",
    }
    level_remote: ClassVar[Mapping[str, str]] = {"sku": "A-1"}
    empty_page: ClassVar[Any] = {
        "access_token": "t",
        "expires_in": 3600,
        "orders": [],
        "reportId": "R1",
        "processingStatus": "CANCELLED",  # as a report with nothing in it is
    }


class TestWalmart(ConnectorSuite):
    connector = Walmart
    driver = WalmartDriver
    settings: ClassVar[Mapping[str, Any]] = {
        "client_id": "walmart-client",
        "client_secret": "walmart-client-secret",
        "webhook_secret": "walmart-webhook-secret",
    }
    level_remote: ClassVar[Mapping[str, str]] = {"sku": "A-1"}
    empty_page: ClassVar[Any] = {"access_token": "t", "expires_in": 900, "list": {}}


class DriverWithoutAcknowledging(WalmartDriver):
    """The same seller, whose orders another system acknowledges."""

    def settings(self, url: str) -> Mapping[str, Any]:
        return {**super().settings(url), "acknowledge": False}


class TestWalmartWithoutAcknowledging(TestWalmart):
    driver = DriverWithoutAcknowledging


class TestSaleor(ConnectorSuite):
    connector = Saleor
    driver = SaleorDriver
    settings: ClassVar[Mapping[str, Any]] = {
        "url": "https://shop.test/graphql/",
        "app_token": "saleor-app-token",
        "warehouse_id": "V2FyZWhvdXNlOjE=",
    }
    level_remote: ClassVar[Mapping[str, str]] = {"variant_id": "UHJvZHVjdFZhcmlhbnQ6MQ=="}
    empty_page: ClassVar[Any] = {
        "data": {"orders": {"edges": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}}
    }


class TestWarrantyRest(ConnectorSuite):
    connector = WarrantyRest
    driver = WarrantyDriver
    settings: ClassVar[Mapping[str, Any]] = {
        "base_url": "https://maker.test",
        "token": "warranty-token-value",
        "registration_path": "/registrations",
    }


class TestWarrantyRestInBatches(TestWarrantyRest):
    driver = None  # the cases are played once
    settings: ClassVar[Mapping[str, Any]] = {
        **TestWarrantyRest.settings,
        "batch_path": "/warranties?serials={serials}",
    }


class TestNoticeRest(ConnectorSuite):
    connector = NoticeRest
    driver = NoticeDriver
    settings: ClassVar[Mapping[str, Any]] = {
        "base_url": "https://messages.test",
        "token": "notice-token-value",
        "webhook_secret": "whsec_bm90aWNlLXNlY3JldC12YWx1ZQ==",
    }


class TestDell(ConnectorSuite):
    connector = Dell
    driver = DellDriver
    settings: ClassVar[Mapping[str, Any]] = {
        "client_id": "an-application",
        "client_secret": "dell-client-secret",
    }


class TestLenovo(ConnectorSuite):
    connector = Lenovo
    driver = LenovoDriver
    settings: ClassVar[Mapping[str, Any]] = {"client_id": "lenovo-client-id-token"}


class TestHp(ConnectorSuite):
    connector = Hp
    driver = HpDriver
    settings: ClassVar[Mapping[str, Any]] = {
        "client_id": "an-application",
        "client_secret": "hp-client-secret",
    }


class TestCisco(ConnectorSuite):
    connector = Cisco
    driver = CiscoDriver
    settings: ClassVar[Mapping[str, Any]] = {
        "client_id": "an-application",
        "client_secret": "cisco-client-secret",
    }


class TestApple(ConnectorSuite):
    connector = Apple
    driver = AppleDriver
    settings: ClassVar[Mapping[str, Any]] = AppleSimulator().settings("https://apple.test")


class TestEpcis(ConnectorSuite):
    connector = Epcis
    driver = EpcisDriver
    settings: ClassVar[Mapping[str, Any]] = {
        "base_url": "https://epcis.test/v2",
        "token": "epcis-token-value",
    }


class TestGudid(ConnectorSuite):
    connector = Gudid
    driver = GudidDriver
    settings: ClassVar[Mapping[str, Any]] = {"source": "openfda", "api_key": "openfda-key-value"}


class TestAccessGudid(TestGudid):
    driver = None  # the cases are played once, by the other source
    settings: ClassVar[Mapping[str, Any]] = {}
