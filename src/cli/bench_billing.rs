//! `billstream bench billing`: how many invoices a second a billing run makes, from a cold start, and in how much memory.

use std::{sync::Arc, time::Instant};

use aggregates::{
    billing::{Kind, Price, Timing},
    customer::{Contact, Profile},
    id::{CustomerId, PlanId, TenantId},
    money::Currency,
    subscription::Cycle,
};
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;
use rust_decimal::Decimal;
use serde_json::json;

use super::{CliError, open_or_create, print, progress};
use crate::{
    app::{
        App,
        contracts::{NewContract, Special},
        due::{Wanted, Whose},
        plans::NewLine,
    },
    journal::Request,
    processes::run::{self, How},
};

/// How many contracts are signed at the same time.
const CLIENTS: usize = 256;
/// How many contracts a customer has.
const EACH: u32 = 10;
/// Prices of a plan's lines, in cents.
const LINES: [i64; 3] = [4900, 1250, 399];

pub async fn billing(url: &str, subscriptions: u32) -> Result<(), CliError> {
    let start = Instant::now();
    fill(url, subscriptions).await?;
    let filling = milliseconds(start);

    // From a cold start, as after a restart: nothing is remembered.
    let app = open_or_create(url).await?;
    let until = app.clock.now();
    let wanted = Wanted {
        whose: Whose::RealTime,
        until,
        rested_at: None,
    };
    let how = How {
        actor: "bench".to_owned(),
        until,
        at: None,
    };
    let bar = progress("billing", u64::from(subscriptions));
    let start = Instant::now();
    let summary = run::everything(&app, &wanted, &how, &|| bar.inc(1), std::future::pending()).await?;
    let elapsed = milliseconds(start);
    bar.finish_and_clear();
    app.journal.store().close().await;
    print(
        &json!({
            "subscriptions": summary.subscriptions,
            "charges": summary.charges,
            "invoices": summary.invoices,
            "failed": summary.failed,
            "milliseconds": elapsed,
            "invoices_per_second": summary.invoices * 1000 / elapsed,
            "peak_memory_mib": peak_memory_mib(),
            "filling_milliseconds": filling,
        })
        .to_string(),
    )
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
}

/// The most memory that this process has had, filling included; `None` where the system does not say.
fn peak_memory_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib / 1024)
}

/// Contracts of three lines each, due today.
async fn fill(url: &str, subscriptions: u32) -> Result<(), CliError> {
    let app = open_or_create(url).await?;
    let tenant = app.create_tenant("bench").await?;
    let tenant = TenantId::from_stored(&tenant.tenant_id);
    let plan = app
        .create_plan_with(&request(&app, &tenant), "Bench", Currency::EUR, lines())
        .await?;
    let bar = progress("signing contracts", u64::from(subscriptions));
    stream::iter(0..subscriptions.div_ceil(EACH))
        .map(|n| {
            let (app, tenant, bar) = (Arc::clone(&app), tenant.clone(), bar.clone());
            let contracts = EACH.min(subscriptions - n * EACH);
            let signing = tokio::spawn(async move { sign(&app, &tenant, plan, contracts, &bar).await });
            async move { signing.await.map_err(|error| CliError::Bench(error.to_string()))? }
        })
        .buffer_unordered(CLIENTS)
        .try_collect::<Vec<()>>()
        .await?;
    bar.finish_and_clear();
    app.journal.store().close().await;
    Ok(())
}

fn request(app: &App, tenant: &TenantId) -> Request {
    Request::new(tenant.clone(), "bench", "bench", app.clock.now())
}

async fn sign(app: &App, tenant: &TenantId, plan: PlanId, count: u32, bar: &ProgressBar) -> Result<(), CliError> {
    let (profile, contact) = (Profile::default(), Contact::default());
    let customer: CustomerId = app
        .create_customer(&request(app, tenant), None, profile, contact)
        .await?;
    for _ in 0..count {
        let wanted = NewContract {
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
        let signed = app.sign_contract(&request(app, tenant), wanted).await;
        signed.map_err(|error| CliError::Bench(error.to_string()))?;
        bar.inc(1);
    }
    Ok(())
}

fn lines() -> Vec<NewLine> {
    LINES
        .into_iter()
        .map(|cents| NewLine {
            name: format!("Line of {cents}"),
            kind: Kind::Recurring,
            timing: Timing::Advance,
            price: Price::Flat {
                amount: Decimal::new(cents, 2),
            },
            quantity: Decimal::ONE,
            flat_fee: true,
            prorate: true,
            tax_rate: None,
        })
        .collect()
}
