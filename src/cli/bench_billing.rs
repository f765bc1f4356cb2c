//! `billstream bench billing`: how many invoices a second a billing run makes, from a cold start, in how much memory, and
//! how long the preview of one subscription takes meanwhile.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aggregates::{
    billing::{Kind, Price, Timing},
    customer::{Contact, Profile},
    id::{CustomerId, PlanId, SubscriptionId, TenantId},
    money::Currency,
    subscription::Cycle,
};
use chrono::{DateTime, Months, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use hdrhistogram::Histogram;
use indicatif::ProgressBar;
use projections::subscription::Scope;
use rust_decimal::Decimal;
use serde_json::json;
use tokio::sync::watch;

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
/// How long is waited between two previews.
const BETWEEN_PREVIEWS: Duration = Duration::from_millis(5);
/// How many contracts are previewed in turn.
const PREVIEWED: usize = 1_000;
/// Prices of a plan's lines, in cents.
const LINES: [i64; 3] = [4900, 1250, 399];

pub async fn billing(url: &str, subscriptions: u32, each: u32, fill_only: bool) -> Result<(), CliError> {
    let start = Instant::now();
    let (tenant, contracts) = fill(url, subscriptions, each.max(1)).await?;
    let filling = milliseconds(start);
    if fill_only {
        return print(&json!({"subscriptions": subscriptions, "filling_milliseconds": filling}).to_string());
    }

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
    let (stop, stopped) = watch::channel(false);
    let previewing = tokio::spawn(preview(Arc::clone(&app), tenant, contracts, until, stopped));
    let start = Instant::now();
    let summary = run::everything(&app, &wanted, &how, &|| bar.inc(1), std::future::pending()).await?;
    let elapsed = milliseconds(start);
    bar.finish_and_clear();
    stop.send_replace(true);
    let previews = previewing.await.map_err(|error| CliError::Bench(error.to_string()))??;
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
            "previews": previews.len(),
            "preview_p50_us": previews.value_at_quantile(0.50),
            "preview_p99_us": previews.value_at_quantile(0.99),
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

/// Previews two months of one contract after the other until it is told to stop; answers with the microseconds they took.
async fn preview(
    app: Arc<App>,
    tenant: TenantId,
    contracts: Vec<SubscriptionId>,
    from: DateTime<Utc>,
    stopped: watch::Receiver<bool>,
) -> Result<Histogram<u64>, CliError> {
    let until = from + Months::new(2);
    let failed = |error: &dyn std::fmt::Display| CliError::Bench(error.to_string());
    let mut latencies = Histogram::new(3).map_err(|error| failed(&error))?;
    for contract in contracts.iter().cycle() {
        if *stopped.borrow() {
            break;
        }
        let scope = Scope {
            customer: None,
            subscription: Some(*contract),
        };
        let start = Instant::now();
        let preview = app.preview_run(&request(&app, &tenant), scope, until).await;
        let elapsed = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        if preview.map_err(|error| failed(&error))?.invoices.is_empty() {
            return Err(CliError::Bench("a preview without invoices".to_owned()));
        }
        latencies.record(elapsed).map_err(|error| failed(&error))?;
        tokio::time::sleep(BETWEEN_PREVIEWS).await;
    }
    Ok(latencies)
}

/// Contracts of three lines, `each` of them to a customer, all due today. Answers with some of them from all over.
async fn fill(url: &str, subscriptions: u32, each: u32) -> Result<(TenantId, Vec<SubscriptionId>), CliError> {
    let app = open_or_create(url).await?;
    let tenant = app.create_tenant("bench").await?;
    let tenant = TenantId::from_stored(&tenant.tenant_id);
    let plan = app
        .create_plan_with(&request(&app, &tenant), "Bench", Currency::EUR, lines())
        .await?;
    let bar = progress("signing contracts", u64::from(subscriptions));
    let customers: Vec<CustomerId> = stream::iter(0..subscriptions.div_ceil(each))
        .map(|_| (request(&app, &tenant), Profile::default(), Contact::default()))
        .map(|(request, profile, contact)| {
            let app = &app;
            async move { app.create_customer(&request, None, profile, contact).await }
        })
        .buffer_unordered(CLIENTS)
        .try_collect()
        .await?;
    let orders = customers
        .into_iter()
        .flat_map(|customer| (0..each).map(move |_| customer));
    let contracts: Vec<SubscriptionId> = stream::iter(orders.take(subscriptions as usize))
        .map(|customer| {
            let (app, tenant, bar) = (Arc::clone(&app), tenant.clone(), bar.clone());
            let signing = tokio::spawn(async move { sign(&app, &tenant, plan, customer, &bar).await });
            async move { signing.await.map_err(|error| CliError::Bench(error.to_string()))? }
        })
        .buffer_unordered(CLIENTS)
        .try_collect()
        .await?;
    bar.finish_and_clear();
    app.journal.store().close().await;
    let apart = (contracts.len() / PREVIEWED).max(1);
    Ok((tenant, contracts.into_iter().step_by(apart).collect()))
}

fn request(app: &App, tenant: &TenantId) -> Request {
    Request::new(tenant.clone(), "bench", "bench", app.clock.now())
}

async fn sign(
    app: &App,
    tenant: &TenantId,
    plan: PlanId,
    customer: CustomerId,
    bar: &ProgressBar,
) -> Result<SubscriptionId, CliError> {
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
    bar.inc(1);
    signed.map_err(|error| CliError::Bench(error.to_string()))
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
