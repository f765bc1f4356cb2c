//! `billstream bench usage`: how many usage records a second are taken, matched and durable.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aggregates::{
    billing::{Aggregation, Kind, Price, Timing, price::Limits},
    customer::{Contact, Profile},
    id::{CustomerId, TenantId},
    money::Currency,
    subscription::Cycle,
};
use chrono::TimeDelta;
use rust_decimal::Decimal;
use serde_json::json;

use super::{CliError, print};
use crate::{
    app::{
        App,
        contracts::{NewContract, Special},
        plans::NewLine,
        usage::{Sent, Whose},
    },
    clock,
    journal::Request,
};

const METRIC: &str = "api_calls";

/// Calls of `records` records each, spread over the customers and over a second, one after another; each record under
/// an id of its own if `ids`.
pub async fn run(app: &Arc<App>, customers: u32, records: usize, ids: bool, seconds: u64) -> Result<(), CliError> {
    let tenant = clock::random_tenant_id();
    let customers = sign(app, &tenant, customers).await?;
    let (mut taken, start) = (0, Instant::now());
    let end = Duration::from_secs(seconds);
    while start.elapsed() < end {
        let request = request(app, &tenant);
        let first = request.at - TimeDelta::seconds(1);
        let at = |index: usize| first + TimeDelta::microseconds(i64::try_from(index).unwrap_or(i64::MAX) % 1_000_000);
        let whose = customers.iter().cycle().take(records).enumerate();
        let sent: Vec<_> = whose
            .map(|(index, customer)| Sent {
                index,
                whose: Whose::Customer(*customer),
                id: ids.then(|| format!("{}/{index}", request.command_id)),
                metric: METRIC.to_owned(),
                quantity: Decimal::ONE,
                at: at(index),
                key: None,
                absolute: false,
            })
            .collect();
        let outcome = app.record_usage(&request, &sent).await?;
        if outcome.recorded != records {
            return Err(CliError::Bench(format!("of {records} records: {outcome:?}")));
        }
        taken += u64::try_from(records).unwrap_or(u64::MAX);
    }
    let millis = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
    app.journal.store().close().await;
    let figures = json!({"records": taken, "milliseconds": millis, "per_second": taken * 1000 / millis});
    print(&figures.to_string())
}

fn request(app: &App, tenant: &TenantId) -> Request {
    Request::new(tenant.clone(), "bench", "bench", app.clock.now())
}

/// Customers with a contract each that bills by usage.
async fn sign(app: &App, tenant: &TenantId, customers: u32) -> Result<Vec<CustomerId>, CliError> {
    let line = NewLine {
        name: "API calls".to_owned(),
        kind: Kind::Metered {
            metric: METRIC.to_owned(),
            aggregation: Aggregation::Sum,
        },
        timing: Timing::Arrears,
        price: Price::PerUnit {
            amount: Decimal::ONE,
            limits: Limits::default(),
        },
        quantity: Decimal::ONE,
        flat_fee: false,
        prorate: false,
        tax_rate: None,
    };
    let plan = app
        .create_plan_with(&request(app, tenant), "Metered", Currency::EUR, vec![line])
        .await?;
    let mut signed = Vec::new();
    for _ in 0..customers {
        let customer = app
            .create_customer(&request(app, tenant), None, Profile::default(), Contact::default())
            .await?;
        let contract = NewContract {
            customer,
            plan,
            currency: Currency::EUR,
            cycle: Cycle::Month,
            activation: None,
            automatic_payment: None,
            invoice_trigger: None,
            pending: false,
            special: Special::default(),
        };
        let contract = app.sign_contract(&request(app, tenant), contract).await;
        contract.map_err(|error| CliError::Bench(error.to_string()))?;
        signed.push(customer);
    }
    Ok(signed)
}
