"""exsited 1.x: billing preferences of an order and of its lines, and usages."""

import sys

from exsited.common.ab_exception import ABException
from exsited.exsited.auth.dto.token_dto import RequestTokenDTO
from exsited.exsited.exsited_sdk import ExsitedSDK
from exsited.exsited.order.dto.order_dto import (
    BillingPreferenceDataDTO, BillingPreferenceRequestDTO, OrderCreateDTO, OrderDataDTO)
from exsited.exsited.order.dto.order_nested_dto import OrderItemPropertiesDTO, OrderLineDTO, OrderPropertiesDTO
from exsited.exsited.order.dto.usage_dto import MultipleUsageCreateDTO, UsageCreateDTO, UsageDataDTO

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
    sdk.order.fill_in_billing_preference(id=order_id, request_data=body(billingPeriod="0 Month"))
except ABException as refused:
    assert any("billing_period" in str(error) for error in refused.errors), refused.errors
else:
    raise AssertionError("a billing period that nobody knows was accepted")

ordered = sdk.order.create(request_data=OrderCreateDTO(order=OrderDataDTO(
    accountId=order.accountId, orderStartDate="2026-10-01",
    lines=[OrderLineDTO(itemId="ITEM-CALLS", itemOrderQuantity="1", itemChargeType="METERED"),
           OrderLineDTO(itemId="ITEM-DESK", itemOrderQuantity="1")]))).order
metered, desk = (line.chargeItemUuid for line in ordered.lines)


def usage(quantity):
    return UsageDataDTO(
        chargeItemUuid=metered, chargingPeriod="2026-10-01-2026-10-31", quantity=quantity,
        startTime="2026-10-04 09:00:00", endTime="2026-10-04 09:05:00", type="INCREMENTAL")


made = sdk.order.add_usage(request_data=UsageCreateDTO(usage=usage("2"))).usage
assert (made.quantity, made.chargeItemUuid, made.version) == ("2", metered, "1"), made
several = sdk.order.add_multiple_usage(request_data=MultipleUsageCreateDTO(usages=[usage("3"), usage("-1")]))
assert [one.quantity for one in several.success] == ["3"], several
assert [one.quantity for one in several.failed] == ["-1"], several
modified = sdk.order.usage_modify(
    uuid=made.uuid, request_data=UsageCreateDTO(usage=UsageDataDTO(quantity="4"))).usage
assert (modified.quantity, modified.endTime) == ("4", "2026-10-04T09:05:00Z"), modified
updated = sdk.order.usage_update(
    uuid=made.uuid, request_data=UsageCreateDTO(usage=UsageDataDTO(quantity="5", endTime="2026-10-04 10:00:00"))).usage
assert (updated.quantity, updated.endTime) == ("5", "2026-10-04T10:00:00Z"), updated
assert [one.quantity for one in sdk.order.usage_list(limit=10).usages] == ["5", "3"]
sdk.order.usage_delete(uuid=made.uuid)
assert [one.quantity for one in sdk.order.usage_list(limit=10).usages] == ["3"]

assert len(sdk.order.lines(id=ordered.id).order.lines) == 2
line = sdk.order.update_item_billing_preferences(
    order_id=ordered.id, line_item_uuid=desk, request_data=BillingPreferenceRequestDTO(
        order=BillingPreferenceDataDTO(line=OrderLineDTO(itemProperties=OrderItemPropertiesDTO(
            billingMode="IN_ARREARS", chargingPeriod="Same as billing period"))))).order.line
assert line.itemProperties.billingMode == "IN_ARREARS", line
assert sdk.order.lines_charge(id=ordered.id, charge_uuid=desk).order.line.itemProperties.billingMode == "IN_ARREARS"
