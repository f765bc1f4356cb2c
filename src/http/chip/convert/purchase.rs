//! A purchase as the vendor shows it.

use aggregates::{
    customer::Contact,
    purchase::{Details, Origin, Product, Status, printed_number},
};
use projections::{purchase::PurchaseView, tenant::TenantView};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::client;

/// Every documented key. `origin` is scheme and host of this service, whose pages the URLs lead to.
pub fn purchase(view: &PurchaseView, client: &Contact, merchant: &TenantView, origin: &str) -> Value {
    let page = format!("{origin}/p/{}/", view.id);
    let billed = view.order.origin != Origin::Purchases;
    let mut all = Map::new();
    for part in [
        identity(view, client, merchant),
        terms(view),
        json!({
            "issuer_details": issuer(merchant),
            "invoice_url": billed.then(|| format!("{page}invoice/")),
            "checkout_url": page,
        }),
        not_yet(),
    ] {
        if let Value::Object(part) = part {
            all.extend(part);
        }
    }
    Value::Object(all)
}

fn identity(view: &PurchaseView, client: &Contact, merchant: &TenantView) -> Value {
    let history: Vec<Value> = view
        .history
        .iter()
        .map(|(status, at)| json!({"status": word(*status), "timestamp": at.timestamp()}))
        .collect();
    json!({
        "type": "purchase",
        "id": view.id.to_string(),
        "created_on": view.created_at.timestamp(),
        "updated_on": view.updated_at.timestamp(),
        "client": client::details(client),
        "client_id": view.customer.to_string(),
        "purchase": details(&view.order.details, view.total.minor),
        "brand_id": view.order.brand_id.to_string(),
        "company_id": merchant.company_id.to_string(),
        // UNCONFIRMED: there are no test keys yet.
        "is_test": false,
        "user_id": null,
        "billing_template_id": null,
        "order_id": null,
        "status": word(view.status),
        "status_history": history,
        "reference_generated": printed_number(view.number),
        "product": match view.order.origin {
            Origin::Purchases => "purchases",
            Origin::BillingInvoices => "billing_invoices",
            Origin::BillingSubscriptions => "billing_subscriptions",
            Origin::BillingSubscriptionsInvoice => "billing_subscriptions_invoice",
        },
    })
}

fn terms(view: &PurchaseView) -> Value {
    let order = &view.order;
    json!({
        "send_receipt": order.send_receipt,
        "skip_capture": order.skip_capture,
        "force_recurring": order.force_recurring,
        "reference": order.reference,
        "issued": order.issued.to_string(),
        "due": order.due.timestamp(),
        "payment_method_whitelist": order.payment_methods,
    })
}

/// What a purchase that nobody has tried to pay yet says of its payment.
fn not_yet() -> Value {
    json!({
        "payment": null,
        "transaction_data": {
            "payment_method": "", "flow": "", "extra": {}, "country": "", "attempts": [],
        },
        "viewed_on": null,
        "is_recurring_token": false,
        "recurring_token": null,
        "refund_availability": "none",
        "refundable_amount": 0,
        "currency_conversion": null,
        "success_redirect": "",
        "failure_redirect": "",
        "cancel_redirect": "",
        "success_callback": "",
        "creator_agent": "",
        "platform": "api",
        "created_from_ip": "",
        "direct_post_url": null,
        "marked_as_paid": false,
        "can_retrieve": false,
        "can_chargeback": false,
        "upsell_campaigns": [],
        "referral_campaign_id": null,
        "referral_code": null,
        "referral_code_details": null,
        "referral_code_generated": null,
        "retain_level_details": null,
    })
}

pub fn word(status: Status) -> &'static str {
    match status {
        Status::Created => "created",
        Status::Sent => "sent",
    }
}

fn issuer(merchant: &TenantView) -> Value {
    json!({
        "website": "",
        "legal_street_address": "",
        "legal_country": "",
        "legal_city": "",
        "legal_zip_code": "",
        "bank_accounts": [],
        "legal_name": merchant.name,
        "brand_name": merchant.name,
        "registration_number": "",
        "tax_number": "",
    })
}

fn details(details: &Details, total: i64) -> Value {
    json!({
        "currency": details.currency.code(),
        "products": details.products.iter().map(product).collect::<Vec<_>>(),
        "total": total,
        "language": details.language,
        "notes": details.notes,
        "debt": details.debt,
        "subtotal_override": details.subtotal_override,
        "total_tax_override": details.total_tax_override,
        "total_discount_override": details.total_discount_override,
        "total_override": details.total_override,
        "request_client_details": details.request_client_details,
        "timezone": details.time_zone,
        "due_strict": details.due_strict,
        "email_message": details.email_message,
        "shipping_options": [],
        "payment_method_details": {},
        "has_upsell_products": false,
    })
}

fn product(product: &Product) -> Value {
    json!({
        "name": product.name,
        "quantity": places(product.quantity, 4),
        "price": product.price,
        "discount": product.discount,
        "tax_percent": places(product.tax_percent, 2),
        "category": product.category,
        "total_price_override": product.total_price_override,
    })
}

/// With exactly that many decimal places; values come in with no more.
fn places(mut value: Decimal, places: u32) -> String {
    value.rescale(places);
    value.to_string()
}
