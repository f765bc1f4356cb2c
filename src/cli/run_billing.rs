//! `billstream run-billing`: bills what is due, by hand. It sends the commands that the scheduler would send, under the
//! same ids, so it may run beside it.

use std::collections::BTreeSet;

use aggregates::{calendar, id::TenantId};
use chrono::{DateTime, Duration, SecondsFormat, Utc};
use serde_json::json;

use super::{CliError, counted, open, print};
use crate::{
    app::{
        App,
        due::{Wanted, Whose},
    },
    processes::{
        duties,
        run::{self, How},
    },
};

/// A date means its end.
pub fn until(text: &str) -> Result<DateTime<Utc>, String> {
    if let Some(date) = calendar::iso_date(text) {
        return calendar::end_of_day(date).ok_or_else(|| "the calendar ends before that".to_owned());
    }
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.to_utc())
        .map_err(|_| "neither a date such as 2026-10-31 nor a time such as 2026-10-31T12:00:00Z".to_owned())
}

/// A whole number of seconds, minutes or hours.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a duration such as 90s, 15m or 2h is needed".to_owned();
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let number: u32 = number.parse().map_err(|_| wrong())?;
    match unit {
        "s" => Ok(Duration::seconds(i64::from(number))),
        "m" => Ok(Duration::minutes(i64::from(number))),
        "h" => Ok(Duration::hours(i64::from(number))),
        _ => Err(wrong()),
    }
}

pub async fn run(url: &str, until: DateTime<Utc>, tenant: Option<&str>, as_json: bool) -> Result<(), CliError> {
    let app = open(url).await?;
    let wanted = Wanted {
        whose: whose(&app, tenant).await?,
        until,
        rested_at: None,
    };
    let how = How {
        actor: "cli".to_owned(),
        until,
        at: None,
    };
    let bar = super::progress("billing", app.count_due(&wanted).await?);
    let summary = run::everything(&app, &wanted, &how, &|| bar.inc(1), std::future::pending()).await?;
    bar.finish_and_clear();
    let known = &mut BTreeSet::new();
    let undone = duties::everything(&app, &wanted.whose, &how, known, std::future::pending()).await?;
    let failed = summary.failed + undone.len() as u64;
    app.journal.store().close().await;
    let until = until.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    if as_json {
        let shown = json!({"until": until, "subscriptions": summary.subscriptions, "charges": summary.charges,
            "invoices": summary.invoices, "purchases": summary.purchases, "failed": failed});
        print(&shown.to_string())?;
    } else {
        print(&format!(
            "billed {} until {until}: {} on {}, {}; {} could not be billed",
            counted(summary.subscriptions, "subscription"),
            counted(summary.charges, "charge"),
            counted(summary.invoices, "invoice"),
            counted(summary.purchases, "purchase"),
            failed
        ))?;
    }
    match (summary.failed, undone.len() as u64) {
        (0, 0) => Ok(()),
        (failed, 0) => Err(CliError::Unbilled { failed }),
        (billed, undone) => Err(CliError::Undone { billed, undone }),
    }
}

async fn whose(app: &App, tenant: Option<&str>) -> Result<Whose, CliError> {
    let Some(id) = tenant else { return Ok(Whose::RealTime) };
    let id = id.to_owned();
    let tenant = TenantId::from_stored(&id);
    match app.tenant(&tenant).await? {
        None => Err(CliError::UnknownTenant { id }),
        Some(found) if found.test_clock.is_some() => Err(CliError::TestTenant { id }),
        Some(_) => Ok(Whose::Tenant(tenant)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_means_its_end_and_a_time_itself() {
        let read = |text: &str| until(text).map(|time| time.to_rfc3339_opts(SecondsFormat::Micros, true));
        assert_eq!(read("2026-10-31").as_deref(), Ok("2026-10-31T23:59:59.999999Z"));
        assert_eq!(
            read("2026-10-31T12:00:00+02:00").as_deref(),
            Ok("2026-10-31T10:00:00.000000Z")
        );
        for text in ["", "tomorrow", "2026-02-30", "2026-10-31T12:00:00"] {
            assert!(until(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("90s"), Ok(Duration::seconds(90)));
        assert_eq!(duration("15m"), Ok(Duration::minutes(15)));
        assert_eq!(duration("2h"), Ok(Duration::hours(2)));
        for text in ["", "m", "15", "-1s", "1.5h", "1d", "5é"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
