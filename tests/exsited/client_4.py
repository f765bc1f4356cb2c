"""exsited 4.x: billing preferences of an order and of its lines, and usages."""

import sys

from exsited import AuthConfig, ExsitedClient, SdkConfig

base_url, client_id, client_secret, order_id = sys.argv[1:]
client = ExsitedClient(SdkConfig(AuthConfig(
    client_name="local", base_url=base_url, client_id=client_id, client_secret=client_secret,
    redirect_uri="http://localhost/x", token_cache_path=None)))


def preferences(response):
    assert response.succeeded, (response.status_code, response.map)
    assert response.status_code == 200, response.status_code
    return response.map["order"]["billing_preferences"]


read = preferences(client.orders.get_order_billing_preferences(order_id))
assert read["billing_period"] == "1 Month", read
assert read["consolidate_invoice"] is False, read

changed = preferences(client.orders.update_order_billing_preferences(
    order_id, {"order": {"billing_preferences": {"invoice_term": "Net -7", "payment_term": "Net 7"}}}))
assert changed["invoice_term"] == "Net -7", changed
assert changed["billing_period"] == "1 Month", changed

replaced = client.orders.replace_order_billing_preferences(
    order_id, {"order": {"billing_preferences": {"billing_period": "1 Year"}}})
assert preferences(replaced)["billing_period"] == "1 Year", replaced.map
assert preferences(replaced)["invoice_term"] == "Billing Start Date", replaced.map
assert replaced.map["order"]["id"] == order_id, replaced.map
assert preferences(client.orders.get_order_billing_preferences(order_id))["payment_term"] == "Net 30"

refused = client.orders.update_order_billing_preferences(
    order_id, {"order": {"billing_preferences": {"billing_period": "0 Month"}}})
assert not refused.succeeded and refused.status_code == 400, refused.map
missing = client.orders.get_order_billing_preferences("ORD-NOBODY-0001")
assert not missing.succeeded and missing.status_code == 404, missing.map


def answered(response, status=200):
    assert response.succeeded and response.status_code == status, (response.status_code, response.map)
    return response.map


account = answered(client.orders.get_order(order_id))["order"]["account"]["id"]
ordered = answered(client.orders.create_order({"order": {
    "account_id": account, "order_start_date": "2026-10-01", "lines": [
        {"item_id": "ITEM-CALLS", "item_charge_type": "METERED"}, {"item_id": "ITEM-DESK"}]}}), 201)["order"]
metered, desk = (line["id"] for line in ordered["lines"])


def usage(quantity):
    return {"charge_item_id": metered, "charging_period": "2026-10-01-2026-10-31", "quantity": quantity,
            "start_time": "2026-10-04T09:00:00Z", "end_time": "2026-10-04T09:05:00Z", "type": "INCREMENTAL"}


made = answered(client.usages.create_usage({"usage": usage(1)}), 201)["usage"]["id"]
several = answered(client.usages.create_usage({"usages": [usage(3), usage(-1)]}), 201)["usages"]
assert len(several["success"]) == 1 and len(several["failed"]) == 1, several
assert answered(client.usages.update_usage(made, {"usage": {"quantity": 5}}))["usage"]["id"] == made
assert answered(client.usages.get_usage(made))["usage"]["quantity"] == 5
answered(client.usages.replace_usage(made, {"usage": {
    "quantity": 4, "start_time": "2026-10-01T09:00:00Z", "end_time": "2026-10-01T09:05:00Z",
    "custom_attributes": []}}))
assert [one["quantity"] for one in answered(client.usages.get_usages())["data"]] == [4, 3]
assert client.usages.delete_usage(made).status_code == 204
assert client.usages.get_usage(made).status_code == 404

assert len(answered(client.orders.get_order_lines(ordered["id"]))["order"]["lines"]) == 2
changed = answered(client.orders.update_order_line_billing_preferences(ordered["id"], desk, {"order": {"line": {
    "item_properties": {"charging_start_date": "SUBSCRIPTION_START_DATE"}}}}))["order"]["lines"][1]
assert changed["item_properties"]["charging_start_date"] == "SUBSCRIPTION_START_DATE", changed
replaced = answered(client.orders.replace_order_line_billing_preferences(ordered["id"], desk, {"order": {"line": {
    "billing_preferences": {"billing_mode": "IN_ARREARS"}}}}))["order"]["lines"][1]
assert replaced["item_properties"]["billing_mode"] == "IN_ARREARS", replaced
assert answered(client.orders.get_order_line(ordered["id"], desk))["order_line"]["charge_item_uuid"] == desk
