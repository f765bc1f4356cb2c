//! `/settings`: the terms, periods, processors and profiles that preferences can name. They are the same for everybody
//! and are read only.

use aggregates::{
    calendar::PeriodUnit,
    order_terms::{BillingPeriod, OrderBillingPreferences, Term, catalogue},
};
use axum::{Json, http::Uri};
use serde_json::{Value, json};

use super::super::{
    Api, Generation,
    auth::{Caller, Id, LinePath},
    error::ApiError,
    list::Part,
};

/// A record of one of the lists.
struct Setting {
    name: String,
    /// What it has beyond its name.
    more: Value,
}

/// A list that is called `plural`, of records that are called `singular` each.
struct Kind {
    plural: &'static str,
    singular: &'static str,
    /// Begins the ids of v4.
    prefix: &'static str,
    records: fn() -> Vec<Setting>,
}

// UNCONFIRMED: the prefixes but `bp`, `cp` and `pp`, and the words for periods but MONTHLY.
static KINDS: [Kind; 6] = [
    Kind {
        plural: "invoice_terms",
        singular: "invoice_term",
        prefix: "it",
        records: || terms(catalogue::invoice_terms()),
    },
    Kind {
        plural: "payment_terms",
        singular: "payment_term",
        prefix: "pt",
        records: || terms(catalogue::payment_terms()),
    },
    Kind {
        plural: "fulfillment_terms",
        singular: "fulfillment_term",
        prefix: "ft",
        records: || terms(catalogue::fulfillment_terms()),
    },
    Kind {
        plural: "billing_periods",
        singular: "billing_period",
        prefix: "bp",
        records: || catalogue::billing_periods().into_iter().map(period).collect(),
    },
    Kind {
        plural: "payment_processors",
        singular: "payment_processor",
        prefix: "pp",
        records: || {
            let first = OrderBillingPreferences::default().payment_processor;
            defaults(catalogue::payment_processors(), &first)
        },
    },
    Kind {
        plural: "communication_profiles",
        singular: "communication_profile",
        prefix: "cp",
        records: || {
            let first = OrderBillingPreferences::default().communication_profile;
            defaults(catalogue::communication_profiles(), &first)
        },
    },
];

fn terms(terms: Vec<Term>) -> Vec<Setting> {
    let setting = |term: Term| Setting {
        more: json!({"duration": {"period": "DAILY", "count": term.days}}),
        name: term.name,
    };
    terms.into_iter().map(setting).collect()
}

fn period(period: BillingPeriod) -> Setting {
    let word = match period.unit {
        PeriodUnit::Day => "DAILY",
        PeriodUnit::Week => "WEEKLY",
        PeriodUnit::Month => "MONTHLY",
        PeriodUnit::Quarter => "QUARTERLY",
        PeriodUnit::Year => "YEARLY",
    };
    Setting {
        more: json!({"period": word, "duration": period.count, "time_period": period.name}),
        name: period.name,
    }
}

fn defaults(names: Vec<String>, first: &str) -> Vec<Setting> {
    let setting = |name: String| Setting {
        more: json!({"is_default": name == first}),
        name,
    };
    names.into_iter().map(setting).collect()
}

fn kind(name: &str, uri: &Uri) -> Result<&'static Kind, ApiError> {
    // The first versions write some of their paths with a hyphen.
    let name = name.replace('-', "_");
    let kind = KINDS.iter().find(|kind| kind.plural == name);
    kind.ok_or_else(|| ApiError::unknown_path(uri.path()))
}

/// The records as they are shown. Their ids are made of the tenant and the name: they never change.
fn shown(kind: &Kind, caller: &Caller) -> Vec<Value> {
    let Api { generation, prefix } = caller.api;
    let records = (kind.records)().into_iter().zip(1_u32..);
    let one = |(setting, place): (Setting, u32)| {
        let seed = format!("settings/{}/{}", kind.plural, setting.name);
        let uuid = caller.request.tenant.derive(&seed);
        let mut body = json!({"name": setting.name, "display_name": setting.name, "description": null});
        match generation {
            Generation::Legacy => {
                body["uuid"] = uuid.to_string().into();
                body["status"] = "ACTIVE".into();
                body["display_order"] = place.to_string().into();
            }
            Generation::V4 => {
                let id = format!("{}_{}", kind.prefix, uuid.simple());
                body["object"] = kind.singular.into();
                body["href"] = format!("{prefix}/settings/{}/{id}", kind.plural).into();
                body["id"] = id.into();
                body["status"] = "active".into();
                body["ordering"] = place.into();
            }
        }
        if let (Some(fields), Value::Object(more)) = (body.as_object_mut(), setting.more) {
            fields.extend(more);
        }
        body
    };
    records.map(one).collect()
}

pub(in super::super) async fn list(Id(name): Id, uri: Uri, caller: Caller) -> Result<Json<Value>, ApiError> {
    let kind = kind(&name, &uri)?;
    let part = Part::of(&uri, caller.api.generation)?;
    let all = shown(kind, &caller);
    let records = i64::try_from(all.len()).unwrap_or(i64::MAX);
    // The position of a record is its place in the list, from 1 on.
    let after = part.after.map_or(0, |after| usize::try_from(after).unwrap_or(0));
    let skipped = after.saturating_add(part.skip() as usize);
    let limit = part.limit as usize;
    let rows: Vec<Value> = all.iter().skip(skipped).take(limit).cloned().collect();
    let shown = skipped.saturating_add(rows.len());
    let more = shown < all.len();
    let last = i64::try_from(shown).ok();
    Ok(Json(part.answer(kind.plural, &rows, records, more, last)))
}

pub(in super::super) async fn read(
    LinePath { order: name, line: id }: LinePath,
    uri: Uri,
    caller: Caller,
) -> Result<Json<Value>, ApiError> {
    let kind = kind(&name, &uri)?;
    let field = match caller.api.generation {
        Generation::Legacy => "uuid",
        Generation::V4 => "id",
    };
    let mut all = shown(kind, &caller).into_iter();
    let found = all.find(|record| record[field] == id.as_str());
    let found = found.ok_or_else(|| ApiError::unknown("setting"))?;
    Ok(Json(json!({ kind.singular: found })))
}
