//! From the domain to the Exsited wire: the shapes of both generations. Keys are always lower case.

use aggregates::{
    billing::Taxed,
    calendar::{Tz, has_plain_year, local_date, midnight},
    customer::Profile,
    money::{self, Money},
    order_terms::{Alignment, Mode, OrderBillingPreferences},
    subscription::{ChargeType, OrderLine, OrderTotals, Status},
};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use projections::{customer::CustomerView, order::OrderView};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{Api, Generation, error::ApiError, start};

/// What new accounts and orders are in when nobody says.
pub(super) const DEFAULT_CURRENCY: money::Currency = money::Currency::AUD;
/// Our errors are described by their messages; there is no page to point at.
const DOC_URL: &str = "about:blank";

/// UNCONFIRMED: beyond `code` and `message` the legacy error body is not documented.
pub(super) fn error(error: &ApiError, generation: Generation, request_id: &str) -> Value {
    let fields = error.fields.iter();
    match generation {
        Generation::Legacy if error.fields.is_empty() => {
            json!({"errors": [{"code": error.code, "message": error.message}]})
        }
        Generation::Legacy => {
            let one = |field: &super::error::FieldError| json!({"code": field.code, "message": field.message, "field": field.field});
            json!({"errors": fields.map(one).collect::<Vec<_>>()})
        }
        Generation::V4 => {
            let one = |field: &super::error::FieldError| json!({"field": field.field, "code": field.code, "message": field.message, "doc_url": DOC_URL});
            json!({
                "object": "error",
                "request_id": request_id,
                "status": error.status.as_u16(),
                "code": error.code,
                "message": error.message,
                "doc_url": DOC_URL,
                "errors": fields.map(one).collect::<Vec<_>>(),
            })
        }
    }
}

/// The preferences that both generations show.
fn common(billing: &OrderBillingPreferences) -> Map<String, Value> {
    let value = json!({
        "communication_profile": billing.communication_profile,
        "invoice_mode": mode(billing.invoice_mode),
        "invoice_term": billing.invoice_term.name,
        "billing_period": billing.billing_period.name,
        "consolidate_invoice": billing.consolidate_invoice,
        // UNCONFIRMED: how the vendor shows that there is no key.
        "consolidate_key": billing.consolidate_key.as_deref().unwrap_or_default(),
        "payment_processor": billing.payment_processor,
        "payment_mode": mode(billing.payment_mode),
        "payment_term": billing.payment_term.name,
        "payment_term_alignment": match billing.payment_term_alignment {
            Alignment::BillingDate => "BILLING_DATE",
            Alignment::InvoiceDate => "INVOICE_DATE",
        },
        "fulfillment_mode": mode(billing.fulfillment_mode),
        "fulfillment_term": billing.fulfillment_term.name,
    });
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

pub(super) fn billing(billing: &OrderBillingPreferences, generation: Generation) -> Value {
    let mut map = common(billing);
    match generation {
        Generation::Legacy => {
            for (name, value) in [
                (
                    "pro_rata_partial_charging_period",
                    billing.pro_rata_partial_charging_period,
                ),
                (
                    "pro_rata_partial_pricing_period",
                    billing.pro_rata_partial_pricing_period,
                ),
                ("pro_rata_partial_unit", billing.pro_rata_partial_unit),
            ] {
                map.insert(name.to_owned(), value.into());
            }
        }
        Generation::V4 => {
            let proforma = json!({
                "acceptance_date": null,
                "acceptance_required": false,
                "acceptance_term": null,
                "payment_required": false,
                "terms_and_conditions": null,
            });
            map.insert("proforma_properties".to_owned(), proforma);
        }
    }
    Value::Object(map)
}

/// What an account has beyond the preferences of its orders is shown with them.
pub(super) fn account_billing(profile: &Profile, generation: Generation) -> Value {
    let preferences = profile.billing.as_deref().cloned().unwrap_or_default();
    let mut body = billing(&preferences, generation);
    if let Some(map) = body.as_object_mut() {
        start::show(profile.billing_start, generation, map);
    }
    body
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Automatic => "AUTOMATIC",
        Mode::Manual => "MANUAL",
    }
}

/// The answer of the billing-preferences path to a read.
pub(super) fn order_billing(number: &str, preferences: &OrderBillingPreferences, generation: Generation) -> Value {
    let preferences = billing(preferences, generation);
    match generation {
        Generation::Legacy => json!({"order": {"properties": preferences}}),
        Generation::V4 => json!({"order": {"object": "order", "id": number, "billing_preferences": preferences}}),
    }
}

pub(super) fn account(account: &CustomerView, api: Api) -> Value {
    let contact = &account.contact;
    let currency = account.profile.currency.unwrap_or(DEFAULT_CURRENCY);
    let kind = account
        .profile
        .metadata
        .get("account_type")
        .map_or("CUSTOMER", String::as_str);
    let mut body = json!({
        "id": account.code,
        "name": contact.name,
        "display_name": contact.brand_name.as_ref().or(contact.name.as_ref()),
        "email_address": contact.main_email(),
        "type": kind,
        "billing_preferences": account_billing(&account.profile, api.generation),
        "created_on": time(account.created_at),
        "last_updated_on": time(account.updated_at),
    });
    match api.generation {
        Generation::Legacy => {
            body["uuid"] = account.id.to_string().into();
            body["status"] = "ACTIVE".into();
            body["currency"] = currency_object(currency);
        }
        Generation::V4 => {
            body["object"] = "account".into();
            body["status"] = "active".into();
            body["currency"] = currency_object(currency);
            body["href"] = format!("{}/accounts/{}", api.prefix, account.code).into();
        }
    }
    body
}

pub(super) fn currency_object(currency: money::Currency) -> Value {
    json!({"object": "currency", "code": currency.code(), "name": currency.code()})
}

/// An order; `name` is the account's, which is never kept with the order: people can be forgotten.
pub(super) fn order(order: &OrderView, name: Option<&str>, zone: Tz, api: Api) -> Value {
    let details = &order.details;
    // Orders of before totals were checked may have one that nothing can hold.
    let totals = details.totals(order.currency).ok();
    let shown = |of: fn(&OrderTotals) -> Money| totals.as_ref().map(|totals| of(totals).to_string());
    let total = shown(|totals| totals.total);
    let running = order.status != Status::Cancelled;
    // It is billed so many days after, or before, the day it is billed from.
    let lead = TimeDelta::days(order.billing.invoice_term.days);
    let next = order.next_billing.filter(|_| running);
    let next = next.and_then(|next| local_date(next, zone).checked_sub_signed(lead));
    // What is counted may lie behind all years that have four digits, and readers know no others.
    let next = next.filter(|day| has_plain_year(*day));
    let next_utc = next.and_then(|day| midnight(day, zone));
    let next_utc = next_utc.filter(|at| has_plain_year(at.date_naive())).map(time);
    let next = next.map(|day| day.to_string());
    let shown_name = details.name.as_deref().unwrap_or(&details.number);
    let lines = lines(order, api);
    let mut body = json!({
        "id": details.number,
        "name": shown_name,
        "display_name": shown_name,
        "order_type": "REGULAR",
        "currency": currency_object(order.currency),
        "order_start_date": order.start.to_string(),
        "billing_start_date": order.start.to_string(),
        "next_billing_from_date": next,
        "next_billing_from_date_utc": next_utc,
        "price_tax_inclusive": details.price_tax_inclusive,
        "pre_order": false,
        "quote_order": false,
        "allow_contract": false,
        "lines": lines,
        "original_total": total,
        // UNCONFIRMED: that a subtotal is without the tax which prices contain.
        "subtotal": shown(|totals| totals.net),
        "tax": shown(|totals| totals.tax),
        "total": total,
        "created_on": time(order.created_at),
        "last_updated_on": time(order.updated_at),
    });
    if let Some(start) = details.billing_start {
        if !start.dated {
            body["billing_start_date"] = start::word(start.rule).into();
        }
        body["billing_start_day_of_month"] = start.day.map(|day| day.to_string()).into();
    }
    let preferences = billing(&order.billing, api.generation);
    match api.generation {
        Generation::Legacy => {
            body["uuid"] = order.id.to_string().into();
            body["status"] = status(order.status).to_ascii_uppercase().into();
            body["account_id"] = details.account.as_str().into();
            body["account_name"] = name.into();
            body["properties"] = preferences;
        }
        Generation::V4 => {
            body["object"] = "order".into();
            body["status"] = status(order.status).into();
            body["account"] = json!({
                "object": "account",
                "id": details.account,
                "name": name,
                "href": format!("{}/accounts/{}", api.prefix, details.account),
            });
            body["billing_preferences"] = preferences;
        }
    }
    body
}

/// The lines of an order, each with its part of the tax.
pub(super) fn lines(order: &OrderView, api: Api) -> Vec<Value> {
    let totals = order.details.totals(order.currency).ok();
    let taxed = totals.map(|totals| totals.lines).unwrap_or_default();
    let mut taxed = taxed.into_iter();
    let lines = order.details.lines.iter();
    lines.map(|line| self::line(line, taxed.next(), order, api)).collect()
}

fn line(line: &OrderLine, taxed: Option<Taxed>, order: &OrderView, api: Api) -> Value {
    let amount = line.amount(order.currency).ok();
    let net = taxed.map_or(amount, |taxed| Some(taxed.net));
    let gross = taxed.map_or(amount, |taxed| taxed.net.checked_add(taxed.tax).ok());
    let text = |amount: Option<Money>| amount.map(|amount| amount.to_string());
    let quantity = line.quantity.normalize();
    let own = order.details.line_billing.get(&line.id);
    let properties = super::line::shown(line, own, &order.billing, order.details.aligned(), api.generation);
    let mut body = json!({
        "charge_item_uuid": line.id.to_string(),
        "item_charge_type": charge_type(line.charge_type),
        "item_properties": properties,
        "subtotal": text(net),
        "total": text(gross),
    });
    if let Some(tax) = &line.tax {
        body["tax"] = text(taxed.map(|taxed| taxed.tax)).into();
        body["item_price_tax"] = match api.generation {
            Generation::Legacy => json!({"code": tax.name, "rate": tax.rate.to_string()}),
            Generation::V4 => json!({"object": "tax", "name": tax.name, "rate": number(tax.rate)}),
        };
    }
    match api.generation {
        Generation::Legacy => {
            body["uuid"] = line.id.to_string().into();
            body["item_id"] = line.item.as_str().into();
            body["item_name"] = line.name.as_deref().unwrap_or(&line.item).into();
            body["item_order_quantity"] = quantity.to_string().into();
            body["item_price_snapshot"] = json!({"pricing_rule": {"price": price(line.price)}});
        }
        Generation::V4 => {
            body["object"] = "order_line".into();
            body["id"] = line.id.to_string().into();
            body["item"] = json!({
                "object": "item",
                "id": line.item,
                "name": line.name.as_deref().unwrap_or(&line.item),
            });
            body["item_order_quantity"] = number(quantity);
            body["item_price_snapshot"] = json!({"pricing_rule": {"price": number(line.price.normalize())}});
        }
    }
    body
}

pub(super) fn charge_type(charge_type: ChargeType) -> &'static str {
    match charge_type {
        ChargeType::OneOff => "ONE_OFF",
        ChargeType::Recurring => "RECURRING",
        ChargeType::Metered => "METERED",
    }
}

/// With six decimal places, or as many as so large a number has room for.
pub(super) fn price(mut price: Decimal) -> String {
    price.rescale(6);
    price.to_string()
}

/// A JSON number of the decimal's own digits; text where a number would not keep them all.
// UNCONFIRMED: how the vendor shows prices of more than 15 digits.
pub(super) fn number(decimal: Decimal) -> Value {
    let text = decimal.to_string();
    match serde_json::from_str::<Value>(&text) {
        Ok(number) if money::exact_number(&number.to_string()) == Some(decimal) => number,
        Ok(_) | Err(_) => text.into(),
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Pending => "pending",
        Status::Active => "active",
        // UNCONFIRMED: the vendor's word for an order that is not billed for a while.
        Status::Paused => "paused",
        Status::Cancelled => "inactive",
    }
}

pub(super) fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
