//! Why usage is metered by nothing.

use aggregates::{
    id::TenantId,
    subscription::{Agreement, Subscription},
    usage::Unmatched,
};

use super::{Sent, Whose, split};
use crate::{app::App, journal::CommandError};

impl App {
    /// Why nothing at all meters what these have used.
    pub(super) async fn explain(
        &self,
        tenant: &TenantId,
        whose: impl Iterator<Item = Whose> + Clone,
    ) -> Result<Vec<(Whose, Unmatched)>, CommandError> {
        let views = self.journal.views();
        let (customers, subscriptions) = split(whose.clone());
        let customers = projections::usage::customers_among(views, tenant, &customers).await?;
        let subscriptions = projections::usage::subscriptions_among(views, tenant, &subscriptions).await?;
        let why = |whose| match whose {
            Whose::Customer(id) if !customers.contains(&id) => Unmatched::UnknownCustomer,
            Whose::Subscription(id) if !subscriptions.contains(&id) => Unmatched::UnknownSubscription,
            Whose::Customer(_) | Whose::Subscription(_) => Unmatched::NothingMeters,
        };
        Ok(whose.map(|whose| (whose, why(whose))).collect())
    }
}

/// Why none of the agreements meters the record on its day.
pub(in crate::app) fn reason(states: &[&Subscription], one: &Sent) -> Unmatched {
    let meters = |state: &&Subscription| {
        let day = state.usage_day(one.at);
        day.is_some_and(|day| state.meter(&one.metric, day).is_some())
    };
    let agreements: Vec<_> = states.iter().filter_map(|state| state.agreement()).collect();
    if states.iter().any(meters) {
        return Unmatched::NoTotals;
    }
    let metered = agreements.iter().filter_map(|agreement| {
        let from = agreement.metered_from(&one.metric)?;
        Some((from, agreement.usage_day(one.at).is_none_or(|day| day < from)))
    });
    let trial = |agreement: &&Agreement| {
        let until = agreement.trial_end?;
        let day = agreement.usage_day(one.at)?;
        let is_free = agreement.activation <= day && day < until && agreement.metered_from(&one.metric).is_some();
        is_free.then_some(Unmatched::InTrial { until })
    };
    match metered.min() {
        None => Unmatched::NothingMeters,
        Some((from, true)) => agreements
            .iter()
            .find_map(trial)
            .unwrap_or(Unmatched::BeforeStart { from }),
        Some((_, false)) => Unmatched::NotMeteredThen,
    }
}
