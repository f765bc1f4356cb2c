"""exsited 4.x: read, change and replace the billing preferences of an order."""

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
    order_id, {"order": {"billing_preferences": {"billing_period": "13 Month"}}})
assert not refused.succeeded and refused.status_code == 400, refused.map
missing = client.orders.get_order_billing_preferences("ORD-NOBODY-0001")
assert not missing.succeeded and missing.status_code == 404, missing.map
