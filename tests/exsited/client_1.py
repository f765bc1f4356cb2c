"""exsited 1.x: read, fill in and update the billing preferences of an order."""

import sys

from exsited.common.ab_exception import ABException
from exsited.exsited.auth.dto.token_dto import RequestTokenDTO
from exsited.exsited.exsited_sdk import ExsitedSDK
from exsited.exsited.order.dto.order_dto import OrderCreateDTO, OrderDataDTO
from exsited.exsited.order.dto.order_nested_dto import OrderPropertiesDTO

base_url, client_id, client_secret, order_id = sys.argv[1:]
sdk = ExsitedSDK().init_sdk(request_token_dto=RequestTokenDTO(
    grantType="client_credentials", clientId=client_id, clientSecret=client_secret,
    redirectUri="http://localhost/x", exsitedUrl=base_url))


def body(**preferences):
    return OrderCreateDTO(order=OrderDataDTO(properties=OrderPropertiesDTO(**preferences)))


read = sdk.order.billing_preferences(id=order_id).order.properties
assert read.billingPeriod == "1 Month", read
assert read.consolidateKey == "", read

changed = sdk.order.fill_in_billing_preference(
    id=order_id, request_data=body(invoiceTerm="Net -7", paymentTerm="Net 7")).order.properties
assert changed.invoiceTerm == "Net -7", changed
assert changed.billingPeriod == "1 Month", changed

replaced = sdk.order.update_billing_preference(
    id=order_id, request_data=body(billingPeriod="1 Year")).order.properties
assert replaced.billingPeriod == "1 Year", replaced
assert replaced.invoiceTerm == "Billing Start Date", replaced
assert sdk.order.billing_preferences(id=order_id).order.properties.paymentTerm == "Net 30"

order = sdk.order.details(id=order_id).order
assert order.id == order_id, order
assert order.properties.billingPeriod == "1 Year", order

try:
    sdk.order.fill_in_billing_preference(id=order_id, request_data=body(billingPeriod="13 Month"))
except ABException as refused:
    assert any("billing_period" in str(error) for error in refused.errors), refused.errors
else:
    raise AssertionError("a billing period that nobody knows was accepted")
