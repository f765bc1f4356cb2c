//! What lies on the desk of a preview: copies of subscriptions, of what they used, and of their payers' credit.

use aggregates::{
    credit::Credit,
    id::{CustomerId, SubscriptionId},
    subscription::{Agreement, Subscription},
    usage::Meter,
};
use chrono::{DateTime, Utc};
use projections::{due::Standing, subscription::Payer};

use super::error::PreviewError;
use crate::{
    app::{
        App,
        desk::{Desk, Rehearsal},
        invoicing,
    },
    journal::{CommandError, Request},
};

impl App {
    /// A desk with one subscription on it. Nothing that is read for it waits for what is read before, because each read
    /// waits for a processor, where a billing run is on.
    pub(super) async fn desk_with(&self, request: &Request, id: SubscriptionId) -> Result<Rehearsal, PreviewError> {
        let (tenant, stream) = (&request.tenant, id.to_string());
        let (subscription, has_credit) = tokio::join!(
            self.journal.state::<Subscription>(tenant, &stream),
            projections::due::payer_has_credit(self.journal.views(), tenant, id),
        );
        let mut desk = Rehearsal::new(tenant.clone(), request.at);
        let subscription = subscription?;
        let payer = payer(&subscription).ok_or(PreviewError::UnknownSubscription(id))?;
        if has_credit.map_err(CommandError::from)? == Some(false) {
            desk.lay(&invoicing::credit(tenant, payer), Credit::default());
        }
        self.lay_out(&mut desk, id, subscription).await?;
        Ok(desk)
    }

    /// Lays a copy of the subscription, and of the credit that its invoices would use, on the desk.
    pub(in crate::app) async fn lay(
        &self,
        desk: &mut Rehearsal,
        id: SubscriptionId,
    ) -> Result<Option<Payer>, CommandError> {
        let tenant = desk.tenant().clone();
        let stream = id.to_string();
        if desk.holds::<Subscription>(&stream) {
            return Ok(payer(desk.state(&stream)));
        }
        let subscription: Subscription = self.journal.state(&tenant, &stream).await?;
        self.lay_out(desk, id, subscription).await
    }

    async fn lay_out(
        &self,
        desk: &mut Rehearsal,
        id: SubscriptionId,
        subscription: Subscription,
    ) -> Result<Option<Payer>, CommandError> {
        let (tenant, stream) = (desk.tenant().clone(), id.to_string());
        let Some(payer) = payer(&subscription) else {
            return Ok(None);
        };
        if subscription.agreement().is_some_and(Agreement::is_metered) {
            let meter: Meter = self.journal.state(&tenant, &stream).await?;
            desk.lay(&stream, meter);
        }
        desk.lay(&stream, subscription);
        let account = invoicing::credit(&tenant, payer);
        if !desk.holds::<Credit>(&account) {
            let credit: Credit = self.journal.state(&tenant, &account).await?;
            desk.lay(&account, credit);
        }
        Ok(Some(payer))
    }

    /// Those that may share the invoices of a subscription that lies on the desk, until then.
    pub(in crate::app) async fn sharing_until(
        &self,
        desk: &Rehearsal,
        id: SubscriptionId,
        until: DateTime<Utc>,
    ) -> Result<Vec<SubscriptionId>, CommandError> {
        let state = desk.state::<Subscription>(&id.to_string());
        let (Some(payer), Some(alike)) = (payer(state), state.agreement().and_then(Agreement::consolidation)) else {
            return Ok(Vec::new());
        };
        let standing = Standing {
            run: 0,
            payer,
            next_billing: None,
            metered: false,
            consolidation: Some(alike),
        };
        let (views, tenant) = (self.journal.views(), desk.tenant().clone());
        let mut ids = projections::due::sharing_until(views, &tenant, &standing, until).await?;
        ids.retain(|other| *other != id);
        Ok(ids)
    }

    /// Lays the others on the desk of one; answers with all of their ids.
    pub(in crate::app) async fn lay_all(
        &self,
        desk: &mut Rehearsal,
        id: SubscriptionId,
        mut others: Vec<SubscriptionId>,
    ) -> Result<Vec<SubscriptionId>, CommandError> {
        for other in &others {
            self.lay(desk, *other).await?;
        }
        others.push(id);
        Ok(others)
    }

    /// Lays the subscriptions on the desk. Each payer's come together: their credit is used in the order of time.
    pub(in crate::app) async fn by_payer(
        &self,
        desk: &mut Rehearsal,
        ids: Vec<SubscriptionId>,
        only: Option<CustomerId>,
    ) -> Result<Vec<(Payer, Vec<SubscriptionId>)>, CommandError> {
        let mut payers: Vec<(Payer, Vec<SubscriptionId>)> = Vec::new();
        for id in ids {
            let Some(payer) = self.lay(desk, id).await? else {
                continue;
            };
            if only.is_some_and(|customer| customer != payer.customer) {
                continue;
            }
            match payers.iter_mut().rev().find(|(known, _)| *known == payer) {
                Some((_, theirs)) => theirs.push(id),
                None => payers.push((payer, vec![id])),
            }
        }
        Ok(payers)
    }
}

pub(in crate::app) fn payer(subscription: &Subscription) -> Option<Payer> {
    subscription.agreement().map(|agreement| Payer {
        customer: agreement.customer,
        currency: agreement.currency,
    })
}
