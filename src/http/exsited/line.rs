//! Preferences of single order lines: `item_properties`, from the Exsited wire and back.

use aggregates::{
    billing::Timing,
    order_terms::{ChargingPeriod, LineBilling, LineBillingChanges, OrderBillingPreferences, catalogue},
    subscription::{ChargeType, OrderLine},
};
use serde_json::{Map, Value, json};

use super::{Generation, error::ApiError, fields::Reader};

const SAME: &str = "Same as billing period";
/// The rules that say where charging starts. Here an order has one start, so that they all mean the same day.
const STARTS: [&str; 7] = [
    "ORDER_START_DATE",
    "ORDER_ACTIVATION_DATE",
    "DAY_OF_MONTH",
    "RATING_START_DATE",
    "SUBSCRIPTION_START_DATE",
    "SUBSCRIPTION_ACTIVATION_DATE",
    "SUBSCRIPTION_ACCEPTANCE_DATE",
];

/// What a call says of a line: under `order.line.item_properties`, or `billing_preferences` as the fourth version's PUT
/// has it. Either is understood everywhere.
pub(super) fn sent(body: &Value) -> Result<LineBillingChanges, ApiError> {
    const NAMES: [&str; 2] = ["item_properties", "billing_preferences"];
    let line = body.get("order").and_then(|order| order.get("line"));
    let found = NAMES.iter().find_map(|name| Some((*name, line?.get(*name)?)));
    let (name, value) = found.ok_or_else(|| {
        let message = "item_properties: this is required, under order.line";
        ApiError::field(NAMES[0], "required", message)
    })?;
    let Value::Object(object) = value else {
        return Err(ApiError::field(
            name,
            "invalid",
            format!("{name}: an object was expected"),
        ));
    };
    let mut reader = Reader::new(object);
    let billing = properties(&mut reader);
    reader.done()?;
    Ok(billing)
}

/// The properties of a line that is ordered.
pub(super) fn ordered(line: &mut Reader<'_>, place: &str) -> Option<LineBilling> {
    let billing = changed(line, place).named;
    Some(billing).filter(|billing| *billing != LineBilling::default())
}

/// What a change says of the properties of one of its lines.
pub(super) fn changed(line: &mut Reader<'_>, place: &str) -> LineBillingChanges {
    let Some(object) = line.object("item_properties") else {
        return LineBillingChanges::default();
    };
    let mut reader = Reader::at(object, format!("{place}item_properties."));
    let billing = properties(&mut reader);
    line.errors.append(&mut reader.errors);
    billing
}

/// A start of its own is taken back by null, or by blank text.
fn properties(reader: &mut Reader<'_>) -> LineBillingChanges {
    const FIXED: &str = "fixed_start_date";
    let blank = |value: &Value| value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
    let begins_with_order = reader.value(FIXED).is_some_and(blank);
    let named = LineBilling {
        timing: reader.named("billing_mode", timing),
        period: reader.named("charging_period", period),
        start: reader.named("charging_start_date", |text| {
            let known = STARTS.iter().find(|word| word.eq_ignore_ascii_case(text.trim()));
            known.map(|word| (*word).to_owned())
        }),
        fixed_start: reader.date(FIXED),
        aligned: reader.boolean("charging_and_billing_alignment"),
        pro_rata_partial_charging_period: reader.boolean("pro_rata_partial_charging_period"),
        pro_rata_partial_pricing_period: reader.boolean("pro_rata_partial_pricing_period"),
        pro_rata_partial_unit: reader.boolean("pro_rata_partial_unit"),
        taxes: Vec::new(),
    };
    LineBillingChanges {
        named,
        begins_with_order,
    }
}

fn timing(text: &str) -> Option<Timing> {
    [("IN_ADVANCE", Timing::Advance), ("IN_ARREARS", Timing::Arrears)]
        .into_iter()
        .find_map(|(word, timing)| word.eq_ignore_ascii_case(text.trim()).then_some(timing))
}

/// UNCONFIRMED: the names of charging periods; those of billing periods are known.
fn period(text: &str) -> Option<ChargingPeriod> {
    if text.trim().eq_ignore_ascii_case(SAME) {
        return Some(ChargingPeriod::SameAsBilling);
    }
    let period = catalogue::billing_period(text);
    period.map(ChargingPeriod::Own)
}

/// The properties that a line is billed by: its own, and the order's for the rest. All are text.
pub(super) fn shown(
    line: &OrderLine,
    own: Option<&LineBilling>,
    order: &OrderBillingPreferences,
    aligned: bool,
    generation: Generation,
) -> Value {
    let nothing = LineBilling::default();
    let own = own.unwrap_or(&nothing);
    let timing = match line.charge_type {
        ChargeType::Metered => Timing::Arrears,
        ChargeType::OneOff => Timing::Advance,
        ChargeType::Recurring => own.timing.unwrap_or(Timing::Advance),
    };
    let word = |flag: bool| Value::from(flag.to_string());
    let mut map = Map::new();
    let mut put = |name: &str, value: Value| drop(map.insert(name.to_owned(), value));
    put(
        "billing_mode",
        match timing {
            Timing::Advance => "IN_ADVANCE",
            Timing::Arrears => "IN_ARREARS",
        }
        .into(),
    );
    put(
        "charging_period",
        match &own.period {
            Some(ChargingPeriod::Own(period)) => period.name.as_str(),
            Some(ChargingPeriod::SameAsBilling) | None => SAME,
        }
        .into(),
    );
    // UNCONFIRMED: what the vendor shows where nobody has chosen one.
    put("charging_start_date", own.start.as_deref().unwrap_or(STARTS[0]).into());
    put("charging_and_billing_alignment", word(own.aligned.unwrap_or(aligned)));
    for (name, own, order) in [
        (
            "pro_rata_partial_charging_period",
            own.pro_rata_partial_charging_period,
            order.pro_rata_partial_charging_period,
        ),
        (
            "pro_rata_partial_pricing_period",
            own.pro_rata_partial_pricing_period,
            order.pro_rata_partial_pricing_period,
        ),
        (
            "pro_rata_partial_unit",
            own.pro_rata_partial_unit,
            order.pro_rata_partial_unit,
        ),
    ] {
        // The fourth version does not show whether units are divided.
        if name != "pro_rata_partial_unit" || generation == Generation::Legacy {
            put(name, word(own.unwrap_or(order)));
        }
    }
    if let Some(start) = own.fixed_start {
        put("fixed_start_date", start.to_string().into());
    }
    Value::Object(map)
}

/// The answer of the first versions, of a line with all it has.
pub(super) fn answer(line: &Value) -> Value {
    json!({"order": {"line": line}})
}
