//! Previews: what billing and invoicing would come to now. They decide as the real thing does, on copies.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    credit::Credit,
    id::{ChargeId, CustomerId, InvoiceId, SubscriptionId, TenantId},
    invoice::Issued,
    subscription::{Agreement, Charge, Subscription},
    usage::Meter,
};
use chrono::{DateTime, Utc};
use projections::subscription::{Payer, PendingGroup, Scope};

use super::{
    App, billing_run,
    desk::{Desk, Rehearsal},
    invoicing::{self, InvoicingError, Selection},
    what_if::MAX_REPLAYED,
};
use crate::journal::CommandError;

/// How many subscriptions one preview looks at.
pub const MAX_PREVIEWED: usize = 10_000;

/// What would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// What would be charged, in the order in which it would.
    pub charges: Vec<(SubscriptionId, Charge)>,
    /// What is charged already and waits: the invoices may take it.
    pub waiting: Vec<Charge>,
    /// The invoices that would be issued; their numbers count from 1.
    pub invoices: Vec<Issued>,
    /// What could not be billed, and why.
    pub unbillable: Vec<(SubscriptionId, String)>,
}

#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    #[error("there is no customer {0}")]
    UnknownCustomer(CustomerId),
    #[error("there is no subscription {0}")]
    UnknownSubscription(SubscriptionId),
    #[error("more than {MAX_PREVIEWED} subscriptions have something to bill: name a customer or a subscription")]
    TooMany,
    #[error("more than {MAX_REPLAYED} subscriptions would have to be billed anew: name a customer or a subscription")]
    TooManyToReplay,
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl App {
    /// What billing everything in the scope up to `until` would do.
    pub async fn preview_run(
        &self,
        tenant: &TenantId,
        scope: Scope,
        until: DateTime<Utc>,
    ) -> Result<Preview, PreviewError> {
        match self.check(tenant, scope).await {
            Ok(()) => {}
            Err(InvoicingError::UnknownCustomer(id)) => return Err(PreviewError::UnknownCustomer(id)),
            Err(InvoicingError::UnknownSubscription(id)) => return Err(PreviewError::UnknownSubscription(id)),
            Err(InvoicingError::Command(error)) => return Err(error.into()),
            Err(error) => return Err(CommandError::Corrupt(Box::new(error)).into()),
        }
        let views = self.journal.views();
        let ids = match scope.subscription {
            Some(id) => vec![id],
            None => projections::due::subscriptions(views, tenant, scope.customer, until)
                .await
                .map_err(CommandError::from)?,
        };
        if ids.len() > MAX_PREVIEWED {
            return Err(PreviewError::TooMany);
        }
        let mut desk = Rehearsal::new(tenant.clone(), self.now_of(tenant).await?);
        let mut preview = Preview::default();
        let mut open = BTreeMap::new();
        for id in ids {
            let Some(payer) = self.lay(&mut desk, id).await? else {
                continue;
            };
            if scope.customer.is_some_and(|customer| customer != payer.customer) {
                continue;
            }
            preview.wait(&desk, id);
            if let (_, Some(next)) = billing_run::standing(&desk, id)? {
                open.insert((next, id), payer);
            }
        }
        // In the order of time: subscriptions of one customer take from the same credit.
        while let Some(((_, id), payer)) = open.pop_first() {
            match rehearse_next(&mut desk, id, payer, until, &mut preview) {
                Ok(Some(next)) => drop(open.insert((next, id), payer)),
                Ok(None) => {}
                Err(error) => preview.unbillable.push((id, error.to_string())),
            }
        }
        Ok(preview)
    }

    /// The invoices that [`App::create_invoices`] would make of the selection.
    pub async fn preview_invoices(
        &self,
        tenant: &TenantId,
        selection: &Selection,
    ) -> Result<Vec<Issued>, InvoicingError> {
        let mut groups: BTreeMap<PendingGroup, BTreeSet<ChargeId>> = BTreeMap::new();
        let order = self.selected(tenant, selection).await?;
        for (group, charge) in &order {
            groups.entry(*group).or_default().extend(charge);
        }
        let mut desk = Rehearsal::new(tenant.clone(), self.now_of(tenant).await?);
        let mut invoices = Vec::new();
        let mut seen = BTreeSet::new();
        for group in order
            .iter()
            .map(|(group, _)| *group)
            .filter(|group| seen.insert(*group))
        {
            let stream = group.subscription.to_string();
            if !desk.holds::<Subscription>(&stream) && self.lay(&mut desk, group.subscription).await?.is_none() {
                continue;
            }
            let named = groups.get(&group).filter(|named| !named.is_empty());
            let state = desk.state::<Subscription>(&stream);
            let charges: Vec<Charge> = state
                .pending()
                .filter(|charge| charge.automatic_payment == group.automatic_payment)
                .filter(|charge| named.is_none_or(|named| named.contains(&charge.id)))
                .cloned()
                .collect();
            let Some(payer) = payer(state).filter(|_| !charges.is_empty()) else {
                continue;
            };
            let invoice = InvoiceId(tenant.derive(&format!("preview/{stream}/{}", group.automatic_payment)));
            let today = invoicing::today(&desk, group.subscription);
            invoices.push(invoicing::issue(
                &mut desk,
                group.subscription,
                payer,
                invoice,
                today,
                charges,
            )?);
        }
        Ok(invoices)
    }

    /// Every group of the selection; with the charges where they were named.
    async fn selected(
        &self,
        tenant: &TenantId,
        selection: &Selection,
    ) -> Result<Vec<(PendingGroup, Option<ChargeId>)>, InvoicingError> {
        match selection {
            Selection::Pending(scope) => {
                self.check(tenant, *scope).await?;
                let groups = projections::subscription::pending_groups(self.journal.views(), tenant, *scope).await;
                let groups = groups.map_err(CommandError::from)?;
                Ok(groups.into_iter().map(|(group, _)| (group, None)).collect())
            }
            Selection::Charges(charges, scope) => {
                self.check(tenant, *scope).await?;
                let mut order = Vec::with_capacity(charges.len());
                for id in charges {
                    let (group, _) = self.group_of(tenant, *id, *scope).await?;
                    order.push((group, Some(*id)));
                }
                order.sort_unstable();
                Ok(order)
            }
        }
    }

    /// Lays a copy of the subscription, and of the credit that its invoices would use, on the desk.
    pub(super) async fn lay(&self, desk: &mut Rehearsal, id: SubscriptionId) -> Result<Option<Payer>, CommandError> {
        let tenant = desk.tenant().clone();
        let stream = id.to_string();
        let subscription: Subscription = self.journal.state(&tenant, &stream).await?;
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
}

pub(super) fn payer(subscription: &Subscription) -> Option<Payer> {
    subscription.agreement().map(|agreement| Payer {
        customer: agreement.customer,
        currency: agreement.currency,
    })
}

impl Preview {
    fn wait(&mut self, desk: &Rehearsal, id: SubscriptionId) {
        let pending = desk.state::<Subscription>(&id.to_string()).pending();
        self.waiting.extend(pending.cloned());
    }
}

pub(super) fn rehearse(
    desk: &mut Rehearsal,
    id: SubscriptionId,
    payer: Payer,
    until: DateTime<Utc>,
    preview: &mut Preview,
) -> Result<(), CommandError> {
    preview.wait(desk, id);
    while rehearse_next(desk, id, payer, until, preview)?.is_some() {}
    Ok(())
}

/// The next moment of a subscription; answers with the one after it.
fn rehearse_next(
    desk: &mut Rehearsal,
    id: SubscriptionId,
    payer: Payer,
    until: DateTime<Utc>,
    preview: &mut Preview,
) -> Result<Option<DateTime<Utc>>, CommandError> {
    let before = billing_run::standing(desk, id)?;
    if before.1.is_none_or(|next| next > until) {
        return Ok(None);
    }
    let stream = id.to_string();
    let agreement = desk.state::<Subscription>(&stream).agreement();
    if agreement.is_some_and(Agreement::is_metered) && !desk.holds::<Meter>(&stream) {
        // It becomes metered by what is previewed: nothing has been used yet.
        desk.lay(&stream, Meter::default());
    }
    let done = billing_run::step(desk, id, payer, until)?;
    let charges = done.charges.into_iter().map(|charge| (id, charge));
    preview.charges.extend(charges);
    preview.invoices.extend(done.invoices);
    let after = billing_run::standing(desk, id)?;
    if after == before {
        return Err(billing_run::stands_still(id));
    }
    Ok(after.1)
}
