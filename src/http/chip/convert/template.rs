//! Billing templates, in and out.

use aggregates::{
    billing_template::{Kind, Known, OneOff, Recurring, Template},
    calendar::PeriodUnit,
    purchase::{self, Details},
    subscriber::{Rhythm, TrialRule},
};
use chrono::{DateTime, NaiveDate, Utc};
use projections::{
    billing_template::{BillingTemplateView, Filter},
    tenant::TenantView,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    billing::{brand, due, purchase_details},
    purchase::details,
};
use crate::http::chip::{
    error::Errors,
    fields::{self, Change, Fields, boolean, date, integer, one_of, text},
    page,
    wire::Json,
};

const MAX_PERIOD: u32 = 256;
/// What `number_of_billing_cycles` says where there is no limit.
const UNLIMITED: u32 = 0;
const UNITS: &[&str] = &["days", "weeks", "months"];
const TRIAL_RULES: &[&str] = &["literal", "elapsed"];

/// A template as a request says it. What is `None` was not sent: it takes its default, or stays as it is.
#[derive(Clone, Debug)]
pub struct Sent {
    brand: Option<Uuid>,
    title: Option<String>,
    details: Option<Details>,
    force_recurring: Option<bool>,
    kind: SentKind,
}

#[derive(Clone, Debug)]
enum SentKind {
    OneOff {
        issued: Change<NaiveDate>,
        due: Option<DateTime<Utc>>,
        skip_capture: Option<bool>,
        send_receipt: Option<bool>,
    },
    Recurring(SentRecurring),
}

#[derive(Clone, Debug)]
struct SentRecurring {
    period: Option<u32>,
    unit: Option<PeriodUnit>,
    due_period: Option<u32>,
    due_unit: Option<PeriodUnit>,
    charge_period_end: Option<bool>,
    trial_periods: Option<u32>,
    trial_rule: Option<TrialRule>,
    active: Option<bool>,
    cycles: Option<u32>,
}

/// Which kind of template a request makes.
pub fn is_subscription(body: &Json) -> Result<bool, Errors> {
    let mut fields = Fields::of(body)?;
    let kind = fields.required("is_subscription", boolean);
    fields.finish()?;
    kind.ok_or(Errors::Clean)
}

/// Reads the body of a request that changes a template of that kind. Fields of the other kind are read-only.
pub fn template(body: &Json, recurring: bool, company_brand: Uuid, now: DateTime<Utc>) -> Result<Sent, Errors> {
    let mut fields = Fields::of(body)?;
    let sent = sent(&mut fields, recurring, company_brand, now);
    fields.finish()?;
    Ok(sent)
}

/// Reads the body of a request that makes one: it says more.
pub fn new_template(body: &Json, recurring: bool, company_brand: Uuid, now: DateTime<Utc>) -> Result<Template, Errors> {
    let mut fields = Fields::of(body)?;
    let sent = sent(&mut fields, recurring, company_brand, now);
    if !fields.has("purchase") {
        fields.complain("purchase", fields::required());
    }
    if !recurring && !fields.given("invoice_due") {
        fields.complain("invoice_due", fields::required());
    }
    fields.finish()?;
    sent.new_template(company_brand).ok_or(Errors::Clean)
}

fn sent(fields: &mut Fields<'_>, recurring: bool, company_brand: Uuid, now: DateTime<Utc>) -> Sent {
    let details = fields.optional("purchase", purchase_details);
    let brand = brand(fields, company_brand);
    // UNCONFIRMED: whether a title is required.
    let title = fields.optional("title", text(256));
    let force_recurring = fields.optional("force_recurring", boolean);
    let kind = if recurring {
        SentKind::Recurring(subscription(fields))
    } else {
        one_off(fields, now)
    };
    Sent {
        brand,
        title,
        details,
        force_recurring,
        kind,
    }
}

fn one_off(fields: &mut Fields<'_>, now: DateTime<Utc>) -> SentKind {
    let issued = fields.change("invoice_issued", date);
    let due = fields.optional("invoice_due", |json| due(json, now));
    let skip_capture = fields.optional("invoice_skip_capture", boolean);
    let send_receipt = fields.optional("invoice_send_receipt", boolean);
    SentKind::OneOff {
        issued,
        due,
        skip_capture,
        send_receipt,
    }
}

fn subscription(fields: &mut Fields<'_>) -> SentRecurring {
    let mut count = |name: &str, min: u32, max: u32| fields.optional(name, counted(min, max));
    let period = count("subscription_period", 1, MAX_PERIOD);
    let due_period = count("subscription_due_period", 1, MAX_PERIOD);
    let trial_periods = count("subscription_trial_periods", 0, MAX_PERIOD);
    let cycles = count("number_of_billing_cycles", 0, i32::MAX.unsigned_abs());
    let mut unit = |name: &str| fields.optional(name, one_of(UNITS)).map(|word| period_unit(&word));
    let (unit, due_unit) = (unit("subscription_period_units"), unit("subscription_due_period_units"));
    let charge_period_end = fields.optional("subscription_charge_period_end", boolean);
    let active = fields.optional("subscription_active", boolean);
    let trial_rule = fields
        .optional("trial_rule", one_of(TRIAL_RULES))
        .map(|word| match word.as_str() {
            "elapsed" => TrialRule::Elapsed,
            _ => TrialRule::Literal,
        });
    SentRecurring {
        period,
        unit,
        due_period,
        due_unit,
        charge_period_end,
        trial_periods,
        trial_rule,
        active,
        cycles,
    }
}

fn counted(min: u32, max: u32) -> impl Fn(&Json) -> Result<u32, Errors> {
    move |json| {
        let value = integer(i64::from(min), i64::from(max))(json)?;
        u32::try_from(value).map_err(|_| Errors::here("A valid integer is required.", "invalid"))
    }
}

/// Of the words that [`UNITS`] lets through.
fn period_unit(word: &str) -> PeriodUnit {
    match word {
        "days" => PeriodUnit::Day,
        "weeks" => PeriodUnit::Week,
        _ => PeriodUnit::Month,
    }
}

fn unit_word(unit: PeriodUnit) -> &'static str {
    match unit {
        PeriodUnit::Day => "days",
        PeriodUnit::Week => "weeks",
        PeriodUnit::Month => "months",
        PeriodUnit::Quarter => "quarters",
        PeriodUnit::Year => "years",
    }
}

impl Sent {
    /// As a new template: what was not sent has its default. `None` where it has none.
    fn new_template(&self, company_brand: Uuid) -> Option<Template> {
        let kind = match &self.kind {
            SentKind::OneOff { due, .. } => Kind::OneOff(OneOff {
                issued: None,
                due: (*due)?,
                skip_capture: false,
                // The vendor's prose says so; its schema says false.
                send_receipt: true,
            }),
            SentKind::Recurring(_) => Kind::Recurring(Recurring {
                rhythm: Rhythm {
                    period: 1,
                    unit: PeriodUnit::Month,
                    charge_period_end: false,
                    trial_periods: 0,
                    trial_rule: TrialRule::Literal,
                },
                due_period: 7,
                due_unit: PeriodUnit::Day,
                active: false,
                cycles: None,
            }),
        };
        let defaults = Template {
            brand_id: company_brand,
            title: String::new(),
            details: self.details.clone()?,
            force_recurring: false,
            kind,
        };
        Some(self.onto(&defaults, false))
    }

    /// Over a template that is known.
    // UNCONFIRMED: that title and purchase can be changed once there are subscribers, and that what a PUT leaves out
    // stays: the framework the vendor uses does it so.
    pub fn over(&self, known: &Known) -> Template {
        self.onto(&known.terms, known.launched)
    }

    fn onto(&self, now: &Template, launched: bool) -> Template {
        let kind = match (&self.kind, &now.kind) {
            (
                SentKind::OneOff {
                    issued,
                    due,
                    skip_capture,
                    send_receipt,
                },
                Kind::OneOff(now),
            ) => {
                let mut new = OneOff {
                    issued: now.issued,
                    due: due.unwrap_or(now.due),
                    skip_capture: skip_capture.unwrap_or(now.skip_capture),
                    send_receipt: send_receipt.unwrap_or(now.send_receipt),
                };
                issued.apply(&mut new.issued);
                Kind::OneOff(new)
            }
            (SentKind::Recurring(sent), Kind::Recurring(now)) => Kind::Recurring(sent.onto(now, launched)),
            // A template never changes its kind, and the request was read for the kind it has.
            (SentKind::OneOff { .. }, kind @ Kind::Recurring(_)) | (SentKind::Recurring(_), kind @ Kind::OneOff(_)) => {
                kind.clone()
            }
        };
        Template {
            brand_id: self.brand.unwrap_or(now.brand_id),
            title: self.title.clone().unwrap_or_else(|| now.title.clone()),
            details: self.details.clone().unwrap_or_else(|| now.details.clone()),
            force_recurring: self.force_recurring.unwrap_or(now.force_recurring),
            kind,
        }
    }
}

impl SentRecurring {
    /// Once a subscriber is launched the rhythm is read-only.
    fn onto(&self, now: &Recurring, launched: bool) -> Recurring {
        let rhythm = Rhythm {
            period: self.period.unwrap_or(now.rhythm.period),
            unit: self.unit.unwrap_or(now.rhythm.unit),
            charge_period_end: self.charge_period_end.unwrap_or(now.rhythm.charge_period_end),
            trial_periods: self.trial_periods.unwrap_or(now.rhythm.trial_periods),
            trial_rule: self.trial_rule.unwrap_or(now.rhythm.trial_rule),
        };
        Recurring {
            rhythm: if launched { now.rhythm } else { rhythm },
            due_period: self.due_period.unwrap_or(now.due_period),
            due_unit: self.due_unit.unwrap_or(now.due_unit),
            active: self.active.unwrap_or(now.active),
            cycles: match self.cycles {
                None => now.cycles,
                Some(UNLIMITED) => None,
                Some(cycles) => Some(cycles),
            },
        }
    }
}

/// The filters of the list.
pub fn filter(query: Option<&str>) -> Result<Filter, Errors> {
    let mut filter = Filter::default();
    for (name, value) in page::parameters(query) {
        let value = Json::Text(value.to_owned());
        match name {
            "is_subscription" => {
                filter.recurring = Some(boolean(&value).map_err(|errors| Errors::field(name, errors))?);
            }
            "brand_id" => {
                filter.brand = Some(fields::uuid(&value).map_err(|errors| Errors::field(name, errors))?);
            }
            _ => {}
        }
    }
    Ok(filter)
}

/// Every documented key; those of the other kind are null.
pub fn show(view: &BillingTemplateView, merchant: &TenantView) -> Value {
    let terms = &view.terms;
    let (one_off, recurring) = match &terms.kind {
        Kind::OneOff(terms) => (Some(terms), None),
        Kind::Recurring(terms) => (None, Some(terms)),
    };
    let rhythm = recurring.map(|terms| terms.rhythm);
    let total = purchase::total(&terms.details).ok();
    let mut shown = json!({
        "type": "billing_template",
        "id": view.id.to_string(),
        "created_on": view.created_at.timestamp(),
        "updated_on": view.updated_at.timestamp(),
        "purchase": details(&terms.details, total),
        "company_id": merchant.company_id.to_string(),
        "is_test": false,
        "user_id": null,
        "brand_id": terms.brand_id.to_string(),
        "title": terms.title,
        "is_subscription": recurring.is_some(),
        "invoice_issued": one_off.and_then(|terms| terms.issued).map(|date| date.to_string()),
        "invoice_due": one_off.map(|terms| terms.due.timestamp()),
        "invoice_skip_capture": one_off.map(|terms| terms.skip_capture),
        "invoice_send_receipt": one_off.map(|terms| terms.send_receipt),
        "subscription_period": rhythm.map(|rhythm| rhythm.period),
        "subscription_period_units": rhythm.map(|rhythm| unit_word(rhythm.unit)),
        "subscription_due_period": recurring.map(|terms| terms.due_period),
        "subscription_due_period_units": recurring.map(|terms| unit_word(terms.due_unit)),
        "subscription_charge_period_end": rhythm.map(|rhythm| rhythm.charge_period_end),
        "subscription_trial_periods": rhythm.map(|rhythm| rhythm.trial_periods),
        "subscription_active": recurring.map(|terms| terms.active),
        "subscription_has_active_clients": view.launched,
        "force_recurring": terms.force_recurring,
        "number_of_billing_cycles": recurring.map(|terms| terms.cycles.unwrap_or(UNLIMITED)),
        "upsell_campaigns": [],
        "referral_campaign_id": null,
    });
    // Ours: shown where it was asked for.
    if rhythm.is_some_and(|rhythm| rhythm.trial_rule == TrialRule::Elapsed) {
        shown["trial_rule"] = "elapsed".into();
    }
    shown
}
