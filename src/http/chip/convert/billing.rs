//! A billing request: whom to bill, and for what.

use aggregates::{
    calendar,
    id::CustomerId,
    money::{self, Currency},
    purchase::{self, Details, Order, Origin, Product},
};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::client;
use crate::{
    app::send_billing::{MAX_RECIPIENTS, Payer, Recipient},
    http::chip::{
        error::{Errors, due_in_the_past, nothing_to_pay, subtotal_negative, total_too_large},
        fields::{self, Fields, boolean, date, decimal, integer, text, words},
        wire::Json,
    },
};

/// The vendor's default of `debt` and `discount`. A value that cannot be read is an error of its field, never this.
const NOT_SENT: i64 = 0;
/// How many lines a purchase may have: each client of a call gets a copy of all.
// UNCONFIRMED: the vendor names no bound.
const MAX_PRODUCTS: usize = 200;
/// Digits of a quantity, four of them after the point.
// UNCONFIRMED: only the four are known.
const QUANTITY_DIGITS: i64 = 14;
pub(super) const MAX_TIMESTAMP: i64 = i32::MAX as i64;
/// Payment methods that can be asked for.
// UNCONFIRMED: the vendor's list depends on the merchant.
pub(super) const PAYMENT_METHODS: &[&str] = &[
    "visa",
    "mastercard",
    "maestro",
    "fpx",
    "fpx_b2b1",
    "duitnow_qr",
    "mpgs_apple_pay",
    "mpgs_google_pay",
    "razer_atome",
    "razer_grabpay",
    "razer_maybankqr",
    "razer_shopeepay",
    "razer_tng",
];
const CLIENT_DETAILS: &[&str] = &[
    "email",
    "phone",
    "full_name",
    "personal_code",
    "brand_name",
    "legal_name",
    "registration_number",
    "tax_number",
    "bank_account",
    "bank_code",
    "billing_address",
    "shipping_address",
    "country",
    "city",
    "street_address",
    "zip_code",
    "state",
    "shipping_country",
    "shipping_city",
    "shipping_street_address",
    "shipping_zip_code",
    "shipping_state",
];

/// Reads the body of `POST /billing/`. The template's title, kind and subscription fields are read-only here.
pub fn billing(body: &Json, brand: Uuid, now: DateTime<Utc>) -> Result<(Vec<Recipient>, Order), Errors> {
    let mut fields = Fields::of(body)?;
    let clients = fields.required("clients", fields::objects(MAX_RECIPIENTS, recipient));
    let details = fields.required("purchase", purchase_details);
    let brand_id = self::brand(&mut fields, brand);
    let issued = fields.nullable("invoice_issued", date);
    let due = if fields.given("invoice_due") {
        fields.optional("invoice_due", |json| due(json, now))
    } else {
        fields.complain("invoice_due", fields::required());
        None
    };
    let skip_capture = fields.optional("invoice_skip_capture", boolean).unwrap_or(false);
    let send_receipt = fields.optional("invoice_send_receipt", boolean).unwrap_or(true);
    let force_recurring = fields.optional("force_recurring", boolean).unwrap_or(false);
    fields.finish()?;
    let (Some(clients), Some(details), Some(due)) = (clients, details, due) else {
        return Err(Errors::Clean);
    };
    match purchase::total(&details) {
        Ok(total) if total < 0 || (total == 0 && !skip_capture) => return Err(nothing_to_pay()),
        Err(purchase::Refused::Overflow) => return Err(total_too_large()),
        // Everything else was found line by line, or is the domain's to refuse.
        Ok(_) | Err(_) => {}
    }
    let today = calendar::time_zone(&details.time_zone).map(|zone| calendar::local_date(now, zone));
    let order = Order {
        origin: Origin::BillingInvoices,
        brand_id: brand_id.unwrap_or(brand),
        issued: issued.or(today).unwrap_or(now.date_naive()),
        details,
        due,
        reference: String::new(),
        skip_capture,
        send_receipt,
        force_recurring,
        payment_methods: None,
        billing_template: None,
        subscriber: None,
    };
    Ok((clients, order))
}

// UNCONFIRMED: the default brand where none is named, and the code for one that is not the company's.
pub(super) fn brand(fields: &mut Fields<'_>, brand: Uuid) -> Option<Uuid> {
    fields.optional("brand_id", |json| match fields::uuid(json)? {
        id if id == brand => Ok(id),
        id => Err(does_not_exist(id)),
    })
}

pub fn does_not_exist(id: Uuid) -> Errors {
    Errors::here(
        format!("Invalid pk \"{id}\" - object does not exist."),
        "does_not_exist",
    )
}

pub(super) fn due(json: &Json, now: DateTime<Utc>) -> Result<DateTime<Utc>, Errors> {
    let seconds = integer(i64::from(i32::MIN), MAX_TIMESTAMP)(json)?;
    match DateTime::from_timestamp(seconds, 0) {
        Some(due) if due > now => Ok(due),
        Some(_) | None => Err(due_in_the_past()),
    }
}

/// One of `clients`: a `client_id`, or a client's details, as `client` or beside the other fields.
pub fn recipient(json: &Json) -> Result<Recipient, Errors> {
    let mut fields = Fields::of(json)?;
    let payment_methods = fields.nullable("payment_method_whitelist", words(PAYMENT_METHODS, 1));
    let reference = fields.nullable("invoice_reference", text(128));
    for flag in [
        "send_invoice_on_charge_failure",
        "send_invoice_on_add_subscriber",
        "send_receipt",
    ] {
        fields.optional(flag, boolean); // for subscribers: checked, without effect here
    }
    let (known, nested, flat) = (fields.given("client_id"), fields.given("client"), fields.given("email"));
    let payer = match (known, nested || flat) {
        (true, false) => fields
            .optional("client_id", fields::uuid)
            .map(|id| Payer::Known(CustomerId(id))),
        (true, true) => {
            let both = "Only one of client and client_id can be given.";
            fields.complain("__all__", Errors::here(both, "purchase_client_or_id_only"));
            None
        }
        (false, true) if nested => fields.optional("client", inline),
        (false, true) => match inline(json) {
            Ok(payer) => Some(payer),
            Err(errors) => {
                if let Errors::Fields(errors) = errors {
                    for (name, error) in errors {
                        fields.complain(&name, error);
                    }
                }
                None
            }
        },
        (false, false) => fields
            .required("client_id", fields::uuid)
            .map(|id| Payer::Known(CustomerId(id))),
    };
    fields.finish()?;
    Ok(Recipient {
        payer: payer.ok_or(Errors::Clean)?,
        payment_methods,
        reference: reference.unwrap_or_default(),
    })
}

fn inline(json: &Json) -> Result<Payer, Errors> {
    let details = client::Details::whole(json)?;
    let contact = Box::new(details.contact());
    Ok(Payer::ByEmail {
        email: details.email.unwrap_or_default(),
        contact,
    })
}

pub(super) fn purchase_details(json: &Json) -> Result<Details, Errors> {
    let mut fields = Fields::of(json)?;
    let any = || integer(i64::MIN, i64::MAX);
    let currency = fields.optional("currency", currency).unwrap_or(Currency::MYR);
    let products = fields.required("products", fields::objects(MAX_PRODUCTS, product));
    // UNCONFIRMED: which languages there are.
    let language = fields
        .optional("language", text(2))
        .filter(|language| !language.is_empty());
    let notes = fields.optional("notes", text(10_000)).unwrap_or_default();
    let debt = fields.optional("debt", any()).unwrap_or(NOT_SENT);
    let subtotal_override = fields.nullable("subtotal_override", any());
    let total_tax_override = fields.nullable("total_tax_override", any());
    let total_discount_override = fields.nullable("total_discount_override", any());
    let total_override = fields.nullable("total_override", any());
    let request_client_details = fields.nullable("request_client_details", words(CLIENT_DETAILS, 0));
    let time_zone = fields.optional("timezone", time_zone);
    let due_strict = fields.optional("due_strict", boolean).unwrap_or(false);
    let email_message = fields.optional("email_message", text(256)).unwrap_or_default();
    fields.finish()?;
    Ok(Details {
        currency,
        products: products.unwrap_or_default(),
        language: language.unwrap_or_else(|| "en".to_owned()),
        notes,
        debt,
        subtotal_override,
        total_tax_override,
        total_discount_override,
        total_override,
        request_client_details: request_client_details.unwrap_or_default(),
        time_zone: time_zone.unwrap_or_else(|| "UTC".to_owned()),
        due_strict,
        email_message,
    })
}

/// A currency in which one can pay: gold and testing codes have no minor unit.
fn currency(json: &Json) -> Result<Currency, Errors> {
    let code = text(1000)(json)?;
    Some(&code)
        .filter(|code| code.bytes().all(|byte| byte.is_ascii_uppercase()))
        .and_then(|code| money::payable(code))
        .ok_or_else(|| fields::choice(&code))
}

fn time_zone(json: &Json) -> Result<String, Errors> {
    let name = text(1000)(json)?;
    match calendar::time_zone(&name) {
        Some(_) => Ok(name),
        None if name.is_empty() => Ok("UTC".to_owned()),
        None => Err(fields::choice(&name)),
    }
}

fn product(json: &Json) -> Result<Product, Errors> {
    let mut fields = Fields::of(json)?;
    let name = fields.required("name", fields::filled(256));
    let quantity = fields.optional("quantity", decimal(QUANTITY_DIGITS, 4, None));
    let price = fields.required("price", integer(0, i64::MAX));
    let discount = fields.optional("discount", integer(0, i64::MAX)).unwrap_or(NOT_SENT);
    let tax_percent = fields.optional("tax_percent", decimal(5, 2, Some(100)));
    let category = fields.optional("category", text(256)).unwrap_or_default();
    let total_price_override = fields.nullable("total_price_override", integer(0, i64::MAX));
    fields.finish()?;
    let product = Product {
        name: name.unwrap_or_default(),
        quantity: quantity.unwrap_or(Decimal::ONE),
        price: price.unwrap_or_default(),
        discount,
        tax_percent: tax_percent.unwrap_or(Decimal::ZERO),
        category,
        total_price_override,
    };
    match purchase::line_total(&product) {
        Ok(None) => Err(subtotal_negative()),
        // A line too large makes a total too large.
        Ok(Some(_)) | Err(_) => Ok(product),
    }
}
