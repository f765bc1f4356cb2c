//! From the Exsited wire to the domain: every field that is wrong is named.

use std::collections::BTreeMap;

use aggregates::{
    billing::Timing,
    billing_start::BillingStart,
    calendar,
    customer::{Contact, Profile, can_be_email},
    id::LineId,
    money::Currency,
    order_terms::{Alignment, LineBilling, Mode, OrderBillingChanges, OrderBillingPreferences, catalogue},
    subscription::{ChargeType, OrderLine},
};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::{
    Generation,
    error::ApiError,
    fields::{PRICE_PLACES, Reader, object},
    line,
    start::{self, Start},
    tax::{self, Tax},
};

const CODE_LENGTH: usize = 6;
pub(super) const MAX_LINES: usize = 1000;

/// The preferences of an order as either generation sends them: under `properties` or `billing_preferences`.
pub(super) fn order_billing(body: &Value, generation: Generation) -> Result<OrderBillingChanges, ApiError> {
    let order = object(body, "order")?;
    let names = match generation {
        Generation::Legacy => ["properties", "billing_preferences"],
        Generation::V4 => ["billing_preferences", "properties"],
    };
    let name = names
        .into_iter()
        .find(|name| order.contains_key(*name))
        .unwrap_or(names[0]);
    match order.get(name) {
        Some(Value::Object(object)) => billing(object),
        Some(_) => Err(ApiError::field(
            name,
            "invalid",
            format!("{name}: an object was expected"),
        )),
        None => Err(ApiError::field(name, "required", format!("{name}: this is required"))),
    }
}

/// Names are found in any case. Unknown fields are ignored, null is refused (but takes a consolidation key away).
pub(super) fn billing(object: &Map<String, Value>) -> Result<OrderBillingChanges, ApiError> {
    let mut reader = Reader::new(object);
    let changes = OrderBillingChanges {
        communication_profile: reader.named("communication_profile", |text| {
            catalogue::find(catalogue::communication_profiles(), String::as_str, text)
        }),
        invoice_mode: reader.named("invoice_mode", mode),
        invoice_term: reader.named("invoice_term", catalogue::invoice_term),
        billing_period: reader.named("billing_period", catalogue::billing_period),
        consolidate_invoice: reader.boolean("consolidate_invoice"),
        consolidate_key: consolidate_key(&mut reader),
        payment_processor: reader.named("payment_processor", |text| {
            catalogue::find(catalogue::payment_processors(), String::as_str, text)
        }),
        payment_mode: reader.named("payment_mode", mode),
        payment_term: reader.named("payment_term", catalogue::payment_term),
        payment_term_alignment: reader.named("payment_term_alignment", alignment),
        fulfillment_mode: reader.named("fulfillment_mode", mode),
        fulfillment_term: reader.named("fulfillment_term", catalogue::fulfillment_term),
        pro_rata_partial_charging_period: reader.boolean("pro_rata_partial_charging_period"),
        pro_rata_partial_pricing_period: reader.boolean("pro_rata_partial_pricing_period"),
        pro_rata_partial_unit: reader.boolean("pro_rata_partial_unit"),
    };
    reader.done()?;
    Ok(changes)
}

/// All preferences of an account: what is not sent has its default.
pub(super) fn account_billing(
    object: &Map<String, Value>,
) -> Result<(OrderBillingPreferences, Option<BillingStart>), ApiError> {
    let mut reader = Reader::new(object);
    let start = start::of_account(&mut reader);
    match (billing(object), reader.done()) {
        (Ok(changes), Ok(())) => Ok((changes.over(&OrderBillingPreferences::default()), start)),
        (Err(error), Ok(())) | (Ok(_), Err(error)) => Err(error),
        (Err(mut error), Err(more)) => {
            error.fields.extend(more.fields);
            Err(error)
        }
    }
}

fn consolidate_key(reader: &mut Reader<'_>) -> Option<String> {
    match reader.value("consolidate_key")? {
        Value::Null => Some(String::new()),
        Value::String(_) => Some(reader.text("consolidate_key").unwrap_or_default()),
        _ => {
            reader.wrong("consolidate_key", "invalid", "text was expected");
            None
        }
    }
}

fn mode(text: &str) -> Option<Mode> {
    [("AUTOMATIC", Mode::Automatic), ("MANUAL", Mode::Manual)]
        .into_iter()
        .find_map(|(word, mode)| word.eq_ignore_ascii_case(text.trim()).then_some(mode))
}

fn alignment(text: &str) -> Option<Alignment> {
    [
        ("BILLING_DATE", Alignment::BillingDate),
        ("INVOICE_DATE", Alignment::InvoiceDate),
    ]
    .into_iter()
    .find_map(|(word, alignment)| word.eq_ignore_ascii_case(text.trim()).then_some(alignment))
}

/// An account as it was sent.
pub(super) struct AccountBody {
    pub code: Option<String>,
    pub profile: Profile,
    pub contact: Contact,
}

pub(super) fn account(body: &Value) -> Result<AccountBody, ApiError> {
    let object = object(body, "account")?;
    let mut reader = Reader::new(object);
    let code = reader.text("id");
    let well_formed = |code: &String| code.len() == CODE_LENGTH && code.bytes().all(|c| c.is_ascii_alphanumeric());
    if code.as_ref().is_some_and(|code| !well_formed(code)) {
        reader.wrong("id", "invalid", "an account id has six letters or digits");
    }
    let mut contact = Contact {
        name: Some(reader.required("name")),
        brand_name: reader.text("display_name"),
        ..Contact::default()
    };
    if let Some(email) = reader.text("email_address") {
        if !can_be_email(&email) {
            reader.wrong("email_address", "invalid", "an e-mail address was expected");
        }
        contact.emails.insert("main".to_owned(), email);
    }
    let time_zone = reader.text("time_zone");
    if time_zone
        .as_deref()
        .is_some_and(|name| calendar::time_zone(name).is_none())
    {
        reader.wrong(
            "time_zone",
            "invalid",
            "an IANA time zone such as Australia/Sydney was expected",
        );
    }
    let mut profile = Profile {
        currency: reader.currency(),
        time_zone,
        ..Profile::default()
    };
    if let Some(kind) = reader.text("type") {
        let kind = kind.to_ascii_uppercase();
        if !["CUSTOMER", "SUPPLIER", "CUSTOMER_AND_SUPPLIER"].contains(&kind.as_str()) {
            reader.wrong(
                "type",
                "invalid",
                "CUSTOMER, SUPPLIER or CUSTOMER_AND_SUPPLIER was expected",
            );
        }
        profile.metadata.insert("account_type".to_owned(), kind);
    }
    let preferences = reader.object("billing_preferences");
    reader.done()?;
    if let Some(changes) = preferences {
        let (billing, start) = account_billing(changes)?;
        profile.billing = Some(Box::new(billing));
        profile.billing_start = start;
    }
    Ok(AccountBody { code, profile, contact })
}

/// An order as it was sent.
pub(super) struct OrderBody {
    pub account: String,
    pub number: Option<String>,
    pub name: Option<String>,
    pub currency: Option<Currency>,
    pub start: Option<NaiveDate>,
    /// The field that said so.
    pub start_field: &'static str,
    pub price_tax_inclusive: bool,
    pub lines: Vec<OrderLine>,
    /// What is said of single lines.
    pub line_billing: BTreeMap<LineId, LineBilling>,
    pub billing_start: Start,
    pub billing: OrderBillingChanges,
}

/// `line_id` names the lines, by their place.
pub(super) fn order(body: &Value, line_id: impl Fn(usize) -> LineId) -> Result<OrderBody, ApiError> {
    let object = object(body, "order")?;
    let mut reader = Reader::new(object);
    let number = reader.text("id");
    let well_formed = |number: &String| {
        number.len() <= 64
            && number.starts_with(|c: char| c.is_ascii_alphanumeric())
            && number.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c))
    };
    if number.as_ref().is_some_and(|number| !well_formed(number)) {
        reader.wrong(
            "id",
            "invalid",
            "an order id has at most 64 letters, digits and -_. and starts with a letter or digit",
        );
    }
    let start = reader.date("order_start_date");
    let billing_start = start::of_order(&mut reader);
    let mut line_billing = BTreeMap::new();
    let lines = lines(&mut reader, line_id, &mut line_billing);
    let mut body = OrderBody {
        account: reader.required("account_id"),
        number,
        name: reader.text("name"),
        currency: reader.currency(),
        // Billing counts from its own start where one is given.
        start: billing_start.date.or(start),
        start_field: if billing_start.date.is_some() {
            "billing_start_date"
        } else {
            "order_start_date"
        },
        price_tax_inclusive: reader.boolean("price_tax_inclusive").unwrap_or(false),
        lines,
        line_billing,
        billing_start,
        billing: OrderBillingChanges::default(),
    };
    let (properties, preferences) = (reader.object("properties"), reader.object("billing_preferences"));
    reader.done()?;
    if let Some(preferences) = properties.or(preferences) {
        body.billing = billing(preferences)?;
    }
    Ok(body)
}

fn lines(
    reader: &mut Reader<'_>,
    line_id: impl Fn(usize) -> LineId,
    billing: &mut BTreeMap<LineId, LineBilling>,
) -> Vec<OrderLine> {
    let items = match reader.value("lines") {
        Some(Value::Array(items)) if (1..=MAX_LINES).contains(&items.len()) => items,
        _ => {
            reader.wrong("lines", "required", "an order has 1 to 1000 lines");
            return Vec::new();
        }
    };
    let mut lines = Vec::with_capacity(items.len());
    for (n, item) in items.iter().enumerate() {
        let Value::Object(object) = item else {
            reader.wrong(&format!("lines[{n}]"), "invalid", "an object was expected");
            continue;
        };
        let mut line = Reader::at(object, format!("lines[{n}]."));
        let (price, tax) = (price(&mut line), tax::read(&mut line));
        not_discounted(&mut line);
        let id = line_id(n);
        let own = line::ordered(&mut line, &format!("lines[{n}]."));
        let new = OrderLine {
            id,
            item: line.required("item_id"),
            name: line.text("item_name"),
            quantity: line
                .decimal("item_order_quantity", PRICE_PLACES)
                .unwrap_or(Decimal::ONE),
            // Without a price of its own a line costs nothing: there is no catalogue of items to ask.
            price: price.unwrap_or_default(),
            charge_type: line
                .named("item_charge_type", charge_type)
                .unwrap_or(ChargeType::Recurring),
            tax: tax.and_then(Tax::rate),
        };
        if let Some(own) = own {
            if new.charge_type == ChargeType::Metered && own.timing == Some(Timing::Advance) {
                line.wrong("item_properties.billing_mode", "invalid", "usage is charged in arrears");
            }
            billing.insert(id, own);
        }
        lines.push(new);
        reader.errors.append(&mut line.errors);
    }
    lines
}

/// What is not there costs nothing; what is there must be a price.
pub(super) fn price(line: &mut Reader<'_>) -> Option<Decimal> {
    let snapshot = line.object("item_price_snapshot")?;
    let place = format!("{}item_price_snapshot.", line.place);
    let mut snapshot = Reader::at(snapshot, place);
    let price = snapshot.object("pricing_rule").and_then(|rule| {
        let place = format!("{}pricing_rule.", snapshot.place);
        let mut rule = Reader::at(rule, place);
        let price = rule.decimal("price", PRICE_PLACES);
        snapshot.errors.append(&mut rule.errors);
        price
    });
    line.errors.append(&mut snapshot.errors);
    price
}

/// Nothing is taken off the lines of orders: what asks for it is refused, or it would be billed in full.
pub(super) fn not_discounted(line: &mut Reader<'_>) {
    const FIELD: &str = "discount";
    let is_none = match line.value(FIELD) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) if text.trim().is_empty() => true,
        Some(_) => {
            let before = line.errors.len();
            let amount = line.decimal(FIELD, PRICE_PLACES);
            amount.is_some_and(|amount| amount.is_zero()) || line.errors.len() > before
        }
    };
    if !is_none {
        line.wrong(FIELD, "invalid", "lines take no discount: it would not be billed");
    }
}

pub(super) fn charge_type(text: &str) -> Option<ChargeType> {
    match text.to_ascii_uppercase().as_str() {
        "ONE_OFF" => Some(ChargeType::OneOff),
        "RECURRING" => Some(ChargeType::Recurring),
        "METERED" => Some(ChargeType::Metered),
        _ => None,
    }
}
