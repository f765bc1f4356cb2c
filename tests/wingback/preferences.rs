use serde_json::{Value, json};

use super::{Door, PREFERENCES, refused};
use crate::support::on_both;

fn defaults() -> Value {
    json!({
        "automatic_payment": false,
        "due_date_policy": "end_of_period",
        "flat_fee_due_date_policy": "start_of_period",
        "invoice_trigger": "immediate",
        "usage_period_closing_policy": "automatic",
    })
}

/// Every value that every field can have.
fn values() -> Vec<(&'static str, Value)> {
    let mut values = Vec::new();
    for on in [true, false] {
        values.push(("automatic_payment", json!(on)));
    }
    for policy in ["start_of_period", "end_of_period"] {
        values.push(("due_date_policy", json!(policy)));
        values.push(("flat_fee_due_date_policy", json!(policy)));
    }
    for trigger in ["manual", "immediate"] {
        values.push(("invoice_trigger", json!(trigger)));
    }
    for cycle in ["day", "week", "month", "quarter", "year"] {
        for (count, offset) in [
            (1, Value::Null),
            (2, json!(0)),
            (12, json!(13)),
            (u32::MAX, json!(u32::MAX)),
        ] {
            let rule = json!({"cycle": cycle, "cycle_count": count, "cycle_start_offset": offset});
            values.push(("invoice_trigger", json!({"periodic": rule})));
        }
    }
    for closing in ["manual", "15 minutes", "1 hour", "1 day", "automatic"] {
        values.push(("usage_period_closing_policy", json!(closing)));
    }
    values
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_tenant_has_the_documented_defaults() {
    on_both(async |test| {
        let answer = Door::new(&test).get(PREFERENCES).await;
        assert_eq!((answer.status, answer.json()), (200, defaults()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_value_of_every_field_is_accepted_and_read_back_and_nothing_else_changes() {
    on_both(async |test| {
        let door = Door::new(&test);
        let mut expected = defaults();
        for (field, value) in values() {
            let answer = door.post(PREFERENCES, &json!({field: value})).await;
            assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{field} {value}");
            assert!(answer.headers.contains_key("content-type"));
            expected[field] = value;
            assert_eq!(door.get(PREFERENCES).await.json(), expected);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_fields_change_together_and_null_or_nothing_changes_none() {
    on_both(async |test| {
        let door = Door::new(&test);
        let all = json!({
            "automatic_payment": true,
            "due_date_policy": "start_of_period",
            "flat_fee_due_date_policy": "end_of_period",
            "invoice_trigger": {"periodic": {"cycle_count": 1, "cycle": "quarter", "cycle_start_offset": 1}},
            "usage_period_closing_policy": "15 minutes",
        });
        assert_eq!(door.post(PREFERENCES, &all).await.status, 200);
        let events = test.events().await;
        let nulls = json!({
            "automatic_payment": null, "due_date_policy": null, "flat_fee_due_date_policy": null,
            "invoice_trigger": null, "usage_period_closing_policy": null,
        });
        for body in [nulls, json!({}), all.clone(), json!({"unknown": 1})] {
            assert_eq!(door.post(PREFERENCES, &body).await.status, 200, "{body}");
        }
        assert_eq!(door.get(PREFERENCES).await.json(), all);
        assert_eq!(test.events().await, events);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_value_out_of_range_is_refused_at_its_field_and_leaves_nothing() {
    on_both(async |test| {
        let door = Door::new(&test);
        let events = test.events().await;
        let rule = |rule: Value| json!({"invoice_trigger": {"periodic": rule}});
        let count = "invoice_trigger.periodic.cycle_count";
        let offset = "invoice_trigger.periodic.cycle_start_offset";
        let cases = [
            (json!({"automatic_payment": "true"}), "automatic_payment"),
            (json!({"automatic_payment": 1}), "automatic_payment"),
            (json!({"due_date_policy": "middle"}), "due_date_policy"),
            (json!({"due_date_policy": "START_OF_PERIOD"}), "due_date_policy"),
            (json!({"due_date_policy": ""}), "due_date_policy"),
            (json!({"flat_fee_due_date_policy": 1}), "flat_fee_due_date_policy"),
            (json!({"invoice_trigger": "weekly"}), "invoice_trigger"),
            (json!({"invoice_trigger": "periodic"}), "invoice_trigger.periodic"),
            (json!({"invoice_trigger": {}}), "invoice_trigger"),
            (json!({"invoice_trigger": {"never": {}}}), "invoice_trigger"),
            (rule(json!({})), "invoice_trigger.periodic"),
            (rule(json!({"cycle": "month"})), "invoice_trigger.periodic"),
            (rule(json!({"cycle_count": 1})), "invoice_trigger.periodic"),
            (
                rule(json!({"cycle": "hour", "cycle_count": 1})),
                "invoice_trigger.periodic.cycle",
            ),
            (rule(json!({"cycle": "month", "cycle_count": 0})), count),
            (rule(json!({"cycle": "month", "cycle_count": -1})), count),
            (rule(json!({"cycle": "month", "cycle_count": 1.5})), count),
            (rule(json!({"cycle": "month", "cycle_count": 1.0})), count),
            (rule(json!({"cycle": "month", "cycle_count": "1"})), count),
            (rule(json!({"cycle": "month", "cycle_count": 4_294_967_296_u64})), count),
            (rule(json!({"cycle": "month", "cycle_count": null})), count),
            (
                rule(json!({"cycle": "month", "cycle_count": 1, "cycle_start_offset": -1})),
                offset,
            ),
            (
                rule(json!({"cycle": "month", "cycle_count": 1, "cycle_start_offset": 0.5})),
                offset,
            ),
            (
                json!({"usage_period_closing_policy": "2 hours"}),
                "usage_period_closing_policy",
            ),
            (
                json!({"usage_period_closing_policy": "1_hour"}),
                "usage_period_closing_policy",
            ),
            (
                json!({"usage_period_closing_policy": ["1 hour"]}),
                "usage_period_closing_policy",
            ),
        ];
        for (body, topic) in cases {
            refused(&door.post(PREFERENCES, &body).await, 400, topic);
        }
        // One bad field refuses the good ones with it.
        let mixed = json!({"automatic_payment": true, "due_date_policy": "never"});
        refused(&door.post(PREFERENCES, &mixed).await, 400, "due_date_policy");
        assert_eq!(test.events().await, events);
        assert_eq!(door.get(PREFERENCES).await.json(), defaults());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn preferences_belong_to_one_tenant() {
    on_both(async |test| {
        let (door, other) = (Door::new(&test), Door::other(&test).await);
        door.post(PREFERENCES, &json!({"automatic_payment": true})).await;
        assert_eq!(other.get(PREFERENCES).await.json(), defaults());
    })
    .await;
}
