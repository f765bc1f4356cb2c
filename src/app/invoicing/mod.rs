//! `CreateInvoices`: pending charges become invoices, every charge on exactly one, numbers without gaps.

pub(super) mod bundles;
pub mod invoices;
pub(super) mod issuing;
pub(super) mod voids;

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    calendar::local_date,
    credit::Credit,
    id::{ChargeId, CustomerId, InvoiceId, SubscriptionId, TenantId},
    invoice::Invoice,
    number_series::NumberSeries,
    subscription::{self, Subscription},
};
use chrono::NaiveDate;
use futures::{StreamExt, stream};
use projections::subscription::{Payer, Pending, PendingGroup, Scope};
use serde::{Deserialize, Serialize};

use super::{App, desk::Desk};
use crate::journal::{CommandError, Request, Streams};
use bundles::{Bundle, bundled};
use issuing::issue;

/// The one series invoice numbers are taken from.
const SERIES: &str = "invoices";
/// How many charges a call may name.
pub const MAX_EXPLICIT_CHARGES: usize = 10_000;
/// How many groups are invoiced at the same time: enough to fill the writer's batches.
const PARALLEL_GROUPS: usize = 32;

/// Which charges to invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Everything pending in the scope; each group is atomic by itself.
    Pending(Scope),
    /// Exactly these, all or nothing; each must lie in the scope.
    Charges(Vec<ChargeId>, Scope),
}

/// Why a selection cannot be invoiced.
#[derive(Debug, thiserror::Error)]
pub enum InvoicingError {
    #[error("there is no customer {0}")]
    UnknownCustomer(CustomerId),
    #[error("there is no subscription {0}")]
    UnknownSubscription(SubscriptionId),
    #[error("there is no charge {0}")]
    UnknownCharge(ChargeId),
    #[error("charge {0} does not belong to the customer or subscription named")]
    OutOfScope(ChargeId),
    #[error("charge {0} is on an invoice already")]
    AlreadyInvoiced(ChargeId),
    #[error("more than {MAX_EXPLICIT_CHARGES} charges were named")]
    TooMany,
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// An invoice that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Made {
    number: u64,
    invoice: InvoiceId,
}

impl App {
    /// Makes the invoices and answers with their ids in the order of their numbers; none where nothing was pending.
    pub async fn create_invoices(
        &self,
        request: &Request,
        selection: &Selection,
    ) -> Result<Vec<InvoiceId>, InvoicingError> {
        if request.keyed
            && let Some(done) = self.journal.reply::<Vec<InvoiceId>>(request).await?
        {
            return Ok(done);
        }
        let result = match selection {
            Selection::Pending(scope) => self.invoice_pending(request, *scope).await,
            Selection::Charges(charges, scope) => self.invoice_charges(request, charges, *scope).await,
        };
        match result {
            // Perhaps because a twin of this call has invoiced the charges since the first look.
            Err(refused) if request.keyed => self.journal.reply(request).await?.ok_or(refused),
            result => result,
        }
    }

    pub(super) async fn check(&self, tenant: &TenantId, scope: Scope) -> Result<(), InvoicingError> {
        let views = self.journal.views();
        if let Some(id) = scope.customer
            && projections::customer::customer(views, tenant, id)
                .await
                .map_err(CommandError::from)?
                .is_none()
        {
            return Err(InvoicingError::UnknownCustomer(id));
        }
        let Some(id) = scope.subscription else {
            return Ok(());
        };
        let view = projections::subscription::subscription(views, tenant, id).await;
        let view = view.map_err(CommandError::from)?;
        // Another customer's is none of this one's.
        let theirs = view.filter(|view| scope.customer.is_none_or(|customer| customer == view.customer));
        theirs.map(drop).ok_or(InvoicingError::UnknownSubscription(id))
    }

    /// Group by group. A call that was cut off half-way and is sent again finds what it made by its derived command
    /// ids, and makes the rest.
    async fn invoice_pending(&self, request: &Request, scope: Scope) -> Result<Vec<InvoiceId>, InvoicingError> {
        self.check(&request.tenant, scope).await?;
        let bundles = self.pending(&request.tenant, scope).await?;
        let mut made: BTreeSet<Made> = if request.keyed {
            self.made_before(request).await?
        } else {
            BTreeSet::new()
        };
        let rounds = stream::iter(bundles).map(|bundle| async move {
            let result = self.invoice_bundle(request, &bundle).await;
            (bundle, result)
        });
        // Every group is taken to its end, also where another one failed: nothing is committed that nobody waits for.
        let mut failure = None;
        for (bundle, result) in rounds.buffer_unordered(PARALLEL_GROUPS).collect::<Vec<_>>().await {
            match result {
                Ok(one) => made.extend(one),
                Err(CommandError::Refused(refused)) => {
                    // One group that cannot be invoiced does not hold up the others; it stays pending.
                    metrics::counter!("billstream_groups_not_invoiced_total", "reason" => refused.code()).increment(1);
                    tracing::warn!(subscriptions = ?bundle.subscriptions, %refused, "a group cannot be invoiced");
                }
                Err(error) => failure = Some(error),
            }
        }
        if let Some(error) = failure {
            return Err(error.into());
        }
        let ids: Vec<_> = made.into_iter().map(|made| made.invoice).collect();
        if request.keyed {
            return Ok(self
                .journal
                .execute(request, Streams::new(), |_| Ok(ids.clone()))
                .await?);
        }
        Ok(ids)
    }

    async fn made_before(&self, request: &Request) -> Result<BTreeSet<Made>, CommandError> {
        let replies: Vec<Option<Made>> = self.journal.part_replies(request).await?;
        Ok(replies.into_iter().flatten().collect())
    }

    /// What is pending in the scope, and what shares an invoice with it.
    pub(super) async fn pending(&self, tenant: &TenantId, scope: Scope) -> Result<Vec<Bundle>, CommandError> {
        let views = self.journal.views();
        let mut groups = projections::subscription::pending_groups(views, tenant, scope).await?;
        if scope.subscription.is_some()
            && let Some(one) = groups.iter().find(|pending| pending.consolidation.is_some())
        {
            let scope = Scope {
                customer: Some(one.payer.customer),
                subscription: None,
            };
            let alike = |one: &Pending, other: &Pending| {
                let paid = |pending: &Pending| pending.group.automatic_payment;
                one.payer == other.payer
                    && one.consolidation == other.consolidation
                    && (paid(one), &one.collector) == (paid(other), &other.collector)
            };
            let own = std::mem::replace(
                &mut groups,
                projections::subscription::pending_groups(views, tenant, scope).await?,
            );
            groups.retain(|other| own.iter().any(|one| alike(one, other)));
        }
        Ok(bundled(groups.into_iter().map(|pending| (pending, None))))
    }

    /// One invoice over everything pending of a bundle, or none where another call was faster.
    async fn invoice_bundle(&self, request: &Request, bundle: &Bundle) -> Result<Option<Made>, CommandError> {
        let part = request.part(&bundle.name(&request.tenant));
        let invoice = InvoiceId(part.derive("invoice"));
        let streams = with_credit(Streams::new(), &request.tenant, bundle.payer);
        let streams = bundle.subscriptions.iter().fold(streams, Streams::with::<Subscription>);
        let streams = streams
            .with_new::<Invoice>(invoice)
            .with::<NumberSeries>(series(&request.tenant));
        self.journal
            .execute(&part, streams, |unit| {
                let shares = bundle.shares(unit);
                let Some(first) = shares.first() else {
                    return Ok(None);
                };
                let today = today(unit, first.subscription);
                let issued = issue(unit, bundle.payer, invoice, today, shares)?;
                Ok(Some(Made {
                    number: issued.number,
                    invoice,
                }))
            })
            .await
    }

    /// All groups of the named charges in one append.
    async fn invoice_charges(
        &self,
        request: &Request,
        charges: &[ChargeId],
        scope: Scope,
    ) -> Result<Vec<InvoiceId>, InvoicingError> {
        if charges.len() > MAX_EXPLICIT_CHARGES {
            return Err(InvoicingError::TooMany);
        }
        self.check(&request.tenant, scope).await?;
        let plan: Vec<(Bundle, InvoiceId)> = self
            .named(&request.tenant, charges, scope)
            .await?
            .into_iter()
            .map(|bundle| {
                let invoice = InvoiceId(request.derive(&bundle.name(&request.tenant)));
                (bundle, invoice)
            })
            .collect();
        let mut streams = Streams::new().with::<NumberSeries>(series(&request.tenant));
        for (bundle, invoice) in &plan {
            streams = with_credit(streams, &request.tenant, bundle.payer).with_new::<Invoice>(invoice);
            for subscription in &bundle.subscriptions {
                streams = streams.with::<Subscription>(subscription);
            }
        }
        let result = self
            .journal
            .execute(request, streams, |unit| {
                let mut made = Vec::with_capacity(plan.len());
                for (bundle, invoice) in &plan {
                    let shares = bundle.shares(unit);
                    let pending: BTreeSet<ChargeId> = shares
                        .iter()
                        .flat_map(|share| &share.charges)
                        .map(|charge| charge.id)
                        .collect();
                    if let Some(missing) = bundle.charges.difference(&pending).next() {
                        return Err(subscription::Refused::ChargeNotPending { charge: *missing }.into());
                    }
                    let first = shares.first().ok_or(subscription::Refused::NothingToInvoice)?;
                    let today = today(unit, first.subscription);
                    made.push(issue(unit, bundle.payer, *invoice, today, shares)?.invoice);
                }
                Ok(made)
            })
            .await;
        match result {
            Err(CommandError::Refused(aggregates::Refused::Subscription(
                subscription::Refused::ChargeNotPending { charge },
            ))) => Err(InvoicingError::AlreadyInvoiced(charge)),
            other => Ok(other?),
        }
    }

    /// The named charges as they go on invoices; each must lie in the scope and be pending.
    pub(super) async fn named(
        &self,
        tenant: &TenantId,
        charges: &[ChargeId],
        scope: Scope,
    ) -> Result<Vec<Bundle>, InvoicingError> {
        let mut named = BTreeMap::new();
        for id in charges {
            let pending = self.group_of(tenant, *id, scope).await?;
            named.insert((pending.group, *id), pending);
        }
        let groups = named.into_iter().map(|((_, id), pending)| (pending, Some(id)));
        Ok(bundled(groups))
    }

    async fn group_of(&self, tenant: &TenantId, id: ChargeId, scope: Scope) -> Result<Pending, InvoicingError> {
        let views = self.journal.views();
        let charge = projections::subscription::charge(views, tenant, id)
            .await
            .map_err(CommandError::from)?;
        let charge = charge.ok_or(InvoicingError::UnknownCharge(id))?;
        if scope
            .subscription
            .is_some_and(|subscription| subscription != charge.subscription)
        {
            return Err(InvoicingError::OutOfScope(id));
        }
        let owner = projections::due::standing(views, tenant, charge.subscription)
            .await
            .map_err(CommandError::from)?;
        let owner = owner.ok_or(InvoicingError::UnknownSubscription(charge.subscription))?;
        if scope.customer.is_some_and(|customer| customer != owner.payer.customer) {
            return Err(InvoicingError::OutOfScope(id));
        }
        if charge.invoice.is_some() {
            return Err(InvoicingError::AlreadyInvoiced(id));
        }
        Ok(Pending {
            group: PendingGroup {
                subscription: charge.subscription,
                automatic_payment: charge.automatic_payment,
            },
            payer: owner.payer,
            collector: match owner.consolidation {
                Some(_) if charge.automatic_payment => self.collector(tenant, charge.subscription).await?,
                Some(_) | None => None,
            },
            consolidation: owner.consolidation,
        })
    }

    /// Who collects what of a subscription is paid automatically.
    async fn collector(&self, tenant: &TenantId, id: SubscriptionId) -> Result<Option<String>, CommandError> {
        let found = projections::subscription::subscription(self.journal.views(), tenant, id).await?;
        Ok(found.and_then(|found| found.terms.processor().map(str::to_owned)))
    }
}

/// The day it is where the customer is.
pub(super) fn today(desk: &impl Desk, subscription: SubscriptionId) -> NaiveDate {
    let agreement = desk.state::<Subscription>(&subscription.to_string()).agreement();
    agreement.map_or_else(
        || desk.at().date_naive(),
        |agreement| local_date(desk.at(), agreement.zone()),
    )
}

/// The stream of the tenant's invoice numbers.
pub(super) fn series(tenant: &TenantId) -> String {
    tenant.derive(SERIES).to_string()
}

/// The stream of a customer's credit in one currency.
pub(super) fn credit(tenant: &TenantId, payer: Payer) -> String {
    let Payer { customer, currency } = payer;
    tenant
        .derive(&format!("credit/{customer}/{}", currency.code()))
        .to_string()
}

/// Few customers have credit: that there is none is believed until the writer knows better.
pub(super) fn with_credit(streams: Streams, tenant: &TenantId, payer: Payer) -> Streams {
    streams.with_new::<Credit>(credit(tenant, payer))
}
