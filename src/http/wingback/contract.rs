//! Contracts: from this dialect's words to the domain's, and back.

use std::collections::HashMap;

use aggregates::{
    Decider,
    billing::{Discount, Kind, Schedule},
    calendar,
    id::ChargeId,
    money,
    subscription::{Agreement, Charge, Command, Progress, Status, Subscription},
};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use projections::{catalog::PlanView, customer::CustomerView, invoice::LineView, subscription::SubscriptionView};
use rust_decimal::Decimal;
use serde_json::Value;

use super::{
    convert::{contract_status, lower},
    error::{Error, Result},
    estimates::estimates,
    id::Id,
    item::{exact, item},
    periods::current_period,
    wire::{self, BillingInformation, BillingPeriod},
};
use crate::app::{
    contracts::{
        NewContract, Special, SpecialPrice,
        upgrades::{Estimate, Start, Target, Upgrade},
    },
    previews::Preview,
};

/// No unit count and no trial is as large as this.
const MAX_UNITS: Decimal = Decimal::from_parts(2_764_472_320, 232_830, 0, false, 0);
const MAX_TRIAL_DAYS: u64 = 36_500;

/// A contract input as the domain wants it.
pub fn new_contract(body: &wire::ContractInput) -> Result<NewContract> {
    let unsupported = [("pricing_id", &body.pricing_id)];
    for (field, value) in unsupported {
        let empty =
            |value: &serde_json::Value| value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
        if value.as_ref().is_some_and(|value| !empty(value)) {
            return Err(unsupported_field(field));
        }
    }
    let currency = body.currency.as_deref().ok_or_else(|| Error::missing("currency"))?;
    let mut counts = units("unit_count_configuration", body.unit_count_configuration.as_ref())?;
    let (configured, prices) = features(body.feature_configuration.as_ref())?;
    counts.extend(configured);
    Ok(NewContract {
        customer: body.customer.ok_or_else(|| Error::missing("customer"))?.0,
        plan: body.plan.ok_or_else(|| Error::missing("plan"))?.0,
        currency: money::payable(currency)
            .ok_or_else(|| Error::bad("currency", format!("\"{currency}\" is not an ISO 4217 code")))?,
        cycle: body.cycle.ok_or_else(|| Error::missing("cycle"))?.into(),
        activation: body
            .activation
            .as_deref()
            .map(|text| activation("activation", text))
            .transpose()?,
        automatic_payment: body.automatic_payment,
        invoice_trigger: body.invoice_trigger.map(Into::into),
        pending: body.is_pending.unwrap_or(false),
        special: Special {
            trial_days: trial_days(body.free_trial_days.as_ref())?,
            cycle_start_offset: body.cycle_start_offset,
            units: counts,
            prices,
            discount_id: body.discount_id.map(|id| id.0),
            ..Special::default()
        },
    })
}

/// A date, or an instant whose date in UTC is meant.
pub fn activation(field: &str, text: &str) -> Result<NaiveDate> {
    let of_instant = || {
        let instant = DateTime::parse_from_rfc3339(text).ok()?;
        Some(instant.to_utc().date_naive()).filter(|date| calendar::has_plain_year(*date))
    };
    calendar::iso_date(text)
        .or_else(of_instant)
        .ok_or_else(|| Error::bad(field, format!("\"{text}\" is neither a date nor an RFC 3339 time")))
}

fn midnight(date: NaiveDate) -> DateTime<Utc> {
    date.and_time(NaiveTime::MIN).and_utc()
}

/// A day that is counted may lie behind all years that have four digits, and readers know no others: then there is none to
/// show.
fn to_come(date: NaiveDate) -> Option<DateTime<Utc>> {
    calendar::has_plain_year(date).then(|| midnight(date))
}

fn unsupported_field(field: &str) -> Error {
    Error::bad(field, format!("`{field}` is not supported: it would not be billed"))
}

fn trial_days(value: Option<&Value>) -> Result<Option<u32>> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let days = value.as_u64().filter(|days| (1..=MAX_TRIAL_DAYS).contains(days));
    let days = days.and_then(|days| u32::try_from(days).ok());
    let message = format!("a whole number of days from 1 to {MAX_TRIAL_DAYS} was expected");
    days.map(Some).ok_or_else(|| Error::bad("free_trial_days", message))
}

type Configured = (Vec<(String, Decimal)>, Vec<(String, SpecialPrice)>);

/// By feature: another price of a unit, another flat fee, and units.
// UNCONFIRMED: how the fields are called; what is known is that price, flat fee and units can be given by feature.
fn features(value: Option<&Value>) -> Result<Configured> {
    const FIELD: &str = "feature_configuration";
    let map = match value {
        None | Some(Value::Null) => return Ok(Configured::default()),
        Some(Value::Object(map)) => map,
        Some(_) => return Err(Error::bad(FIELD, "an object of settings by feature was expected")),
    };
    let (mut counts, mut prices) = Configured::default();
    for (name, settings) in map {
        let place = format!("{FIELD}.{name}");
        let Value::Object(settings) = settings else {
            return Err(Error::bad(place, "an object was expected"));
        };
        let read = |field: &str| match settings.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => amount(&format!("{place}.{field}"), value).map(Some),
        };
        let special = SpecialPrice {
            unit: read("price")?,
            flat: read("flat_fee")?,
        };
        // Also where it says nothing: the plan must have the feature.
        prices.push((name.clone(), special));
        if let Some(units) = read("units")?.or(read("unit_count")?) {
            counts.push((name.clone(), units));
        }
    }
    Ok((counts, prices))
}

/// A decimal from 0 on, as text or as a number.
fn amount(field: &str, value: &Value) -> Result<Decimal> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    let number = money::exact_number(&text).filter(|number| !number.is_sign_negative() && *number < MAX_UNITS);
    number.ok_or_else(|| Error::bad(field, format!("a number from 0 on was expected, not {value}")))
}

/// Units by feature; numbers, or decimals as text.
fn units(field: &str, value: Option<&Value>) -> Result<Vec<(String, Decimal)>> {
    let map = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(map)) => map,
        Some(_) => return Err(Error::bad(field, "an object of units by feature was expected")),
    };
    let read = |(name, value): (&String, &Value)| Ok((name.clone(), amount(&format!("{field}.{name}"), value)?));
    map.iter().map(read).collect()
}

/// An upgrade as the domain wants it.
pub fn upgrade(body: &wire::UpgradeInput) -> Result<Upgrade> {
    let place = |field: &str| format!("upgrade_configuration.{field}");
    let configuration = body
        .upgrade_configuration
        .as_ref()
        .ok_or_else(|| Error::missing("upgrade_configuration"))?;
    for (field, value) in [
        ("pricing_id", &configuration.pricing_id),
        ("discount_id", &configuration.discount_id),
    ] {
        if value.as_ref().is_some_and(|value| !value.is_null()) {
            return Err(unsupported_field(&place(field)));
        }
    }
    let mut counts = units(
        &place("unit_count_configuration"),
        configuration.unit_count_configuration.as_ref(),
    )?;
    counts.extend(units(
        &place("unit_configuration"),
        configuration.unit_configuration.as_ref(),
    )?);
    let strategy = configuration
        .upgrade_strategy
        .ok_or_else(|| Error::missing(&place("upgrade_strategy")))?;
    let target = match strategy {
        wire::UpgradeStrategy::NewPlan => Target::Plan {
            plan: configuration
                .plan_id
                .ok_or_else(|| Error::missing(&place("plan_id")))?
                .0,
            currency: match configuration.currency.as_deref() {
                None => None,
                Some(code) => Some(
                    money::payable(code)
                        .ok_or_else(|| Error::bad(place("currency"), format!("\"{code}\" is not an ISO 4217 code")))?,
                ),
            },
            cycle: configuration.cycle.map(Into::into),
        },
        wire::UpgradeStrategy::ChangeUnitCount if counts.is_empty() => {
            return Err(Error::missing(&place("unit_count_configuration")));
        }
        wire::UpgradeStrategy::ChangeUnitCount => Target::Units,
    };
    Ok(Upgrade {
        target,
        start: start(configuration.activation.as_ref())?,
        downgrade_allowed: body.downgrade_allowed.unwrap_or(false),
        units: counts,
    })
}

/// When an upgrade takes effect.
// UNCONFIRMED: how the vendor writes a date here; only `{"type":"next_cycle"}` was seen.
fn start(value: Option<&Value>) -> Result<Start> {
    const FIELD: &str = "upgrade_configuration.activation";
    let bad = || Error::bad(FIELD, "{\"type\":\"next_cycle\"} or a date was expected");
    let dated = |text: &str| activation(FIELD, text).map(Start::On).map_err(|_| bad());
    match value {
        None | Some(Value::Null) => Ok(Start::Today),
        Some(Value::String(text)) if text == "next_cycle" => Ok(Start::NextCycle),
        Some(Value::String(text)) => dated(text),
        Some(Value::Object(object)) => match (object.get("type").and_then(Value::as_str), object.get("date")) {
            (Some("next_cycle"), _) => Ok(Start::NextCycle),
            (Some("immediate" | "now"), _) => Ok(Start::Today),
            (_, Some(Value::String(text))) => dated(text),
            _ => Err(bad()),
        },
        Some(_) => Err(bad()),
    }
}

pub fn estimate(estimate: &Estimate, customer: aggregates::id::CustomerId) -> wire::UpgradeEstimate {
    let sum = |preview: &Preview| {
        let amounts = preview.charges.iter().map(|(_, charge)| charge.amount);
        let sum = money::Money::sum(estimate.currency, amounts);
        // A change of currency leaves the old contract's charges in another one.
        sum.map(|sum| sum.to_string()).ok()
    };
    let priced = |preview: &Preview| estimated(preview, estimate.currency, customer);
    wire::UpgradeEstimate {
        is_downgrade: estimate.is_downgrade,
        new_contract_period: BillingPeriod {
            start: midnight(estimate.start),
            end: estimate.end.and_then(to_come),
        },
        price_on_new_contract: priced(&estimate.new),
        remains_to_pay_current_contract: priced(&estimate.old),
        pro_rate_new_contract: sum(&estimate.new),
        pro_rate_old_contract: sum(&estimate.old),
    }
}

/// The invoices that would be made, and what would be charged and wait for one.
fn estimated(
    preview: &Preview,
    currency: money::Currency,
    customer: aggregates::id::CustomerId,
) -> Vec<wire::EstimatedInvoice> {
    let charges = preview.charges.iter().map(|(_, charge)| charge).chain(&preview.beside);
    let told: HashMap<ChargeId, &Charge> = charges.map(|charge| (charge.id, charge)).collect();
    let mut priced = Vec::new();
    for issued in &preview.invoices {
        let lines = issued.lines.iter().map(|line| {
            let line = LineView {
                charge: line.charge,
                name: line.name.clone(),
                amount: line.amount.minor,
                period: line.period,
                flat_fee: line.flat_fee,
                due_date: line.due_date,
                subscription: line.subscription,
                tax_rate: line.tax_rate.map(|rate| rate.to_string()),
                tax: line.tax.map(|tax| tax.minor),
                net: line.net().unwrap_or(line.amount).minor,
                gross: line.gross().unwrap_or(line.amount).minor,
            };
            let told = told.get(&line.charge).and_then(|charge| charge.explanation.as_deref());
            item(Some(issued.invoice), issued.currency, &line, told)
        });
        priced.push(wire::EstimatedInvoice {
            invoice: Some(wire::EstimatedTotal {
                customer_id: Id(customer),
                currency: lower(issued.currency),
                date: issued.issue_date,
                due_date: issued.due_date,
                total: issued.total.to_string(),
                to_pay: issued.to_pay().to_string(),
            }),
            invoice_items: lines.collect(),
        });
    }
    let invoiced = |id: ChargeId| {
        preview
            .invoices
            .iter()
            .flat_map(|issued| &issued.lines)
            .any(|line| line.charge == id)
    };
    let waiting = preview.charges.iter().filter(|(_, charge)| !invoiced(charge.id));
    let waiting: Vec<wire::InvoiceItem> = waiting
        .map(|(_, charge)| {
            let line = LineView {
                charge: charge.id,
                name: charge.name.clone(),
                amount: charge.amount.minor,
                period: charge.period,
                flat_fee: charge.flat_fee,
                due_date: charge.due_date,
                subscription: None,
                // Its tax is known once it is on an invoice.
                tax_rate: charge.tax_rate.map(|rate| rate.to_string()),
                tax: None,
                net: charge.amount.minor,
                gross: charge.amount.minor,
            };
            item(None, currency, &line, charge.explanation.as_deref())
        })
        .collect();
    if !waiting.is_empty() {
        priced.push(wire::EstimatedInvoice {
            invoice: None,
            invoice_items: waiting,
        });
    }
    priced
}

/// What a contract's page is made of beyond its row.
pub struct Insight<'a> {
    pub state: &'a Subscription,
    /// Whether another contract goes on in its place.
    pub moved: bool,
    /// What its discount is called.
    pub discount_name: Option<String>,
}

/// The discount that a contract was signed with.
pub fn discount_of(state: &Subscription) -> Option<&Discount> {
    let agreement = state.agreement()?;
    let offered = agreement.offer.as_ref().and_then(|offer| offer.discount.as_ref());
    let mut phases = agreement.phases.iter();
    offered.or_else(|| phases.find_map(|phase| phase.discount.as_ref()))
}

/// The schedule of the lines that come back.
fn schedule(agreement: &Agreement) -> Option<Schedule> {
    agreement.phases.iter().rev().find_map(|phase| phase.schedule)
}

/// The billing period of a contract that bills itself; a trial is one, the first.
fn billing_period(agreement: &Agreement, today: NaiveDate) -> Option<BillingInformation> {
    let paid = agreement.trial_end.unwrap_or(agreement.activation);
    let period = |start, end: Option<NaiveDate>, index| BillingInformation {
        current_period: BillingPeriod {
            start: midnight(start),
            end: end.map(midnight),
        },
        current_period_idx: index,
    };
    if today < paid && agreement.trial_end.is_some() {
        return Some(period(agreement.activation, agreement.trial_end, 1));
    }
    let before = i64::from(agreement.trial_end.is_some());
    if agreement.phases.iter().all(|phase| phase.kind == Kind::Trial) {
        return None;
    }
    let Some(schedule) = schedule(agreement) else {
        return Some(period(paid, None, before + 1));
    };
    let day = today.max(paid);
    let span = schedule.containing(day)?;
    let index = schedule.index(day)? - schedule.index(paid)? + 1;
    Some(period(span.start.max(paid), Some(span.end), before + index))
}

/// A contract that waits, as it would be if it began now; `None` where it does not wait.
fn as_begun(state: &Subscription, now: DateTime<Utc>) -> Option<Subscription> {
    let waiting = |agreement: &&Agreement| agreement.status == Status::Pending;
    let zone = state.agreement().filter(waiting)?.zone();
    let activate = Command::Activate {
        at: now,
        activation: calendar::local_date(now, zone),
    };
    let mut begun = state.clone();
    for event in state.decide(&activate).ok()? {
        begun.apply(&event);
    }
    Some(begun)
}

pub fn contract(
    view: &SubscriptionView,
    plan: Option<PlanView>,
    customer: Option<&CustomerView>,
    insight: &Insight<'_>,
    now: DateTime<Utc>,
) -> wire::ContractDetail {
    let begun = as_begun(insight.state, now);
    let state = begun.as_ref().unwrap_or(insight.state);
    let agreement = state.agreement();
    let today = agreement.map_or(now.date_naive(), |agreement| {
        calendar::local_date(now, agreement.zone())
    });
    let activation = agreement.map_or(view.activation, |agreement| agreement.activation);
    let mut billing_information = agreement
        .and_then(|agreement| billing_period(agreement, today))
        .unwrap_or_else(|| current_period(view.cycle, midnight(activation), now));
    let period = &mut billing_information.current_period;
    period.end = period.end.filter(|end| calendar::has_plain_year(end.date_naive()));
    let ends = insight.state.progress().and_then(|progress: &Progress| progress.ends);
    let next = billing_information.current_period.end;
    let next = next.filter(|next| view.status != Status::Cancelled && ends.is_none_or(|end| midnight(end) > *next));
    let offset = agreement
        .and_then(schedule)
        .map_or(0, |schedule| schedule.offset_days());
    let invoicing = view.terms.as_invoicing();
    let name = plan.as_ref().map(|plan| plan.name.clone());
    let estimated = agreement.and_then(|agreement| estimates(agreement, today));
    let (amount, cost_estimates) = estimated.unzip();
    wire::ContractDetail {
        contract_summary: wire::ContractSummary {
            id: Id(view.id),
            plan: name.clone(),
            plan_id: view.plan.map(Id),
            plan_internal_name: name.clone(),
            plan_external_name: name,
            customer: customer.and_then(|customer| customer.contact.name.clone()),
            customer_id: Id(view.customer),
            status: if insight.moved && view.status == Status::Cancelled {
                "moved"
            } else {
                contract_status(view, now)
            },
            cycle: view.cycle.into(),
            cycle_start_offset: offset,
            currency: lower(view.currency),
            amount,
            created: view.created_at,
            activation: midnight(activation),
            expiration: ends.map(midnight),
            pricing_id: None,
            free_cycles: 0,
            free_trial_end: agreement.and_then(|agreement| agreement.trial_end).and_then(to_come),
            next_cycle_start: next,
            billing_information,
            configuration: wire::ContractConfiguration {
                automatic_payment: invoicing.automatic_payment,
                due_date_policy: invoicing.due_date_policy.into(),
                flat_fee_due_date_policy: invoicing.flat_fee_due_date_policy.into(),
                invoice_trigger: invoicing.invoice_trigger.into(),
                usage_period_closing_policy: invoicing.usage_period_closing.into(),
            },
            cost_estimates,
        },
        plan: plan.map(|plan| wire::Plan {
            id: Id(plan.id),
            name: plan.name,
            currency: lower(plan.currency),
        }),
        billing_information,
        discount: discount_of(insight.state).map(|discount| wire::ContractDiscount {
            id: discount.id.map(Id),
            name: insight.discount_name.clone(),
            percentage: discount.percent.map(|percent| percent.normalize().to_string()),
            amount: discount.fixed.map(|fixed| exact(fixed, view.currency)),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_activation_is_a_date_or_the_utc_date_of_an_instant() {
        let day = |text: &str| activation("activation", text).map(|date| date.to_string());
        assert_eq!(day("2026-10-31").as_deref(), Ok("2026-10-31"));
        assert_eq!(day("2026-10-31T23:30:00-02:00").as_deref(), Ok("2026-11-01"));
        let years = ["12026-10-31", "0000-12-31T00:00:00Z", "9999-12-31T23:59:59-01:00"];
        for text in ["", "2026-02-30", "tomorrow", "2026-10-31T25:00:00Z", "31.10.2026"]
            .into_iter()
            .chain(years)
        {
            assert!(day(text).is_err(), "{text}");
        }
    }
}
