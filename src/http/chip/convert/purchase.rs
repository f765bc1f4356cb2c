//! A purchase as the vendor shows it.

use aggregates::{
    customer::Contact,
    purchase::{Details, Origin, Product, Status, printed_number},
};
use chrono::{DateTime, Utc};
use projections::{purchase::PurchaseView, tenant::TenantView};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{billing::MAX_TIMESTAMP, client};
use crate::http::chip::{
    error::Errors,
    fields::{self, Fields, integer},
    wire::Json,
};

/// Every documented key. `origin` is scheme and host of this service, whose pages the URLs lead to.
pub fn purchase(view: &PurchaseView, client: &Contact, merchant: &TenantView, origin: &str) -> Value {
    let page = format!("{origin}/p/{}/", view.id);
    let invoice = format!("{page}invoice/");
    let checkout = match view.status {
        Status::Created | Status::Sent => page,
        Status::Paid | Status::Cancelled => invoice.clone(),
    };
    let billed = view.order.origin != Origin::Purchases;
    let mut all = Map::new();
    for part in [
        identity(view, client, merchant),
        terms(view),
        json!({
            "issuer_details": issuer(merchant),
            "invoice_url": billed.then_some(invoice),
            "checkout_url": checkout,
        }),
        not_yet(),
        paid(view),
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
        "purchase": details(&view.order.details, Some(view.total.minor)),
        "brand_id": view.order.brand_id.to_string(),
        "company_id": merchant.company_id.to_string(),
        // UNCONFIRMED: there are no test keys yet.
        "is_test": false,
        "user_id": null,
        "billing_template_id": view.order.billing_template.map(|template| template.to_string()),
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

/// Reads when a purchase was paid; now, where nothing is said.
pub fn paid_on(body: &Json) -> Result<Option<DateTime<Utc>>, Errors> {
    let mut fields = Fields::of(body)?;
    let paid_on = fields.nullable("paid_on", |json| {
        let seconds = integer(0, MAX_TIMESTAMP)(json)?;
        DateTime::from_timestamp(seconds, 0).ok_or_else(fields::required)
    });
    fields.finish()?;
    Ok(paid_on)
}

/// What is known of the payment: so far the merchant's word, so nothing can be refunded here.
fn paid(view: &PurchaseView) -> Value {
    let payment = view.paid_on.map(|paid_on| {
        json!({
            "is_outgoing": false,
            "payment_type": "purchase",
            "amount": view.total.minor,
            "currency": view.total.currency.code(),
            "net_amount": view.total.minor,
            "fee_amount": 0,
            "pending_amount": 0,
            "pending_unfreeze_on": null,
            "description": "",
            "paid_on": paid_on.timestamp(),
            "remote_paid_on": paid_on.timestamp(),
            "owned_bank_account_id": null,
            "owned_bank_account": null,
            "owned_bank_code": null,
        })
    });
    json!({"marked_as_paid": payment.is_some(), "payment": payment})
}

/// What a purchase that nobody has tried to pay here says.
fn not_yet() -> Value {
    json!({
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
        Status::Paid => "paid",
        Status::Cancelled => "cancelled",
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

pub(super) fn details(details: &Details, total: Option<i64>) -> Value {
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
