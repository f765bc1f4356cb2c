//! Previews of subscribers: the purchases that they would get, decided as the real ones are, on copies.

use std::collections::BTreeMap;

use aggregates::{
    billing_template::BillingTemplate,
    customer::Customer,
    id::{CustomerId, SubscriptionId},
    number_series::NumberSeries,
    subscriber::Subscriber,
    subscription,
};
use chrono::{DateTime, Utc};

use super::{
    Preview,
    error::{MAX_PREVIEWED, PreviewError},
};
use crate::{
    app::{
        App,
        desk::{Desk, Rehearsal},
        purchases::series,
        subscribers::{Turn, take},
    },
    journal::CommandError,
};

/// How many purchases a preview shows at most.
const MOST_PURCHASES: usize = 50_000;

impl App {
    /// What the subscribers would get until then, in order of time; `steps` is how many turns may still be taken.
    pub(super) async fn rehearse_purchases(
        &self,
        desk: &mut Rehearsal,
        customer: Option<CustomerId>,
        until: DateTime<Utc>,
        preview: &mut Preview,
        steps: &mut usize,
    ) -> Result<(), PreviewError> {
        let tenant = desk.tenant().clone();
        let due = self.subscribers_due(&tenant, customer, until, MAX_PREVIEWED + 1).await;
        let due = due.map_err(CommandError::from)?;
        if due.len() > MAX_PREVIEWED {
            return Err(PreviewError::TooMany);
        }
        let mut queue: BTreeMap<(DateTime<Utc>, SubscriptionId), Turn> = BTreeMap::new();
        for (place, turn) in due {
            self.lay_subscriber(desk, place.id, turn).await?;
            queue.insert((place.due, place.id), turn);
        }
        let now = desk.at();
        while let Some(((moment, id), turn)) = queue.pop_first().filter(|((moment, _), _)| *moment <= until) {
            *steps = steps.saturating_sub(1);
            if *steps == 0 || preview.purchases.len() > MOST_PURCHASES {
                return Err(CommandError::from(subscription::Refused::TooMuch).into());
            }
            // What was overdue before is made at the time that it is.
            desk.move_to(moment.max(now));
            match desk.attempt(|desk| take(desk, id, turn, moment)) {
                Ok((taken, bought)) => {
                    let same = taken.purchase.is_none() && taken.next == Some((turn.number, moment));
                    let next = taken.next.filter(|_| !same);
                    queue.extend(next.map(|(number, begins)| ((begins, id), Turn { number, ..turn })));
                    preview.purchases.extend(bought);
                }
                Err(error) => preview.without_purchase.push((id, error.to_string())),
            }
            tokio::task::consume_budget().await;
        }
        desk.move_to(now);
        Ok(())
    }

    async fn lay_subscriber(&self, desk: &mut Rehearsal, id: SubscriptionId, turn: Turn) -> Result<(), CommandError> {
        let tenant = desk.tenant().clone();
        let (stream, template, customer) = (id.to_string(), turn.template.to_string(), turn.customer.to_string());
        desk.lay(&stream, self.journal.state::<Subscriber>(&tenant, &stream).await?);
        if !desk.holds::<BillingTemplate>(&template) {
            let state = self.journal.state::<BillingTemplate>(&tenant, &template).await?;
            desk.lay(&template, state);
        }
        if !desk.holds::<Customer>(&customer) {
            desk.lay(&customer, self.journal.state::<Customer>(&tenant, &customer).await?);
        }
        let series = series(&tenant);
        if !desk.holds::<NumberSeries>(&series) {
            desk.lay(&series, NumberSeries::default());
        }
        Ok(())
    }
}
