//! `CreateInvoices`: pending charges become invoices, every charge on exactly one, numbers without gaps.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    calendar::local_date,
    credit::{self, Credit},
    id::{ChargeId, CustomerId, InvoiceId, SubscriptionId, TenantId},
    invoice::{self, Invoice},
    number_series::{self, NumberSeries},
    subscription::{self, Charge, Subscription},
};
use chrono::NaiveDate;
use futures::{StreamExt, stream};
use projections::subscription::{Payer, PendingGroup, Scope};
use serde::{Deserialize, Serialize};

use super::{App, desk::Desk};
use crate::journal::{CommandError, Request, Streams};

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
        if let Some(id) = scope.subscription
            && projections::subscription::subscription(views, tenant, id)
                .await
                .map_err(CommandError::from)?
                .is_none()
        {
            return Err(InvoicingError::UnknownSubscription(id));
        }
        Ok(())
    }

    /// Group by group. A call that was cut off half-way and is sent again finds what it made by its derived command
    /// ids, and makes the rest.
    async fn invoice_pending(&self, request: &Request, scope: Scope) -> Result<Vec<InvoiceId>, InvoicingError> {
        self.check(&request.tenant, scope).await?;
        let groups = projections::subscription::pending_groups(self.journal.views(), &request.tenant, scope)
            .await
            .map_err(CommandError::from)?;
        let mut made: BTreeSet<Made> = if request.keyed {
            self.made_before(request).await?
        } else {
            BTreeSet::new()
        };
        let rounds = stream::iter(groups)
            .map(|(group, payer)| async move { (group, self.invoice_group(request, group, payer).await) });
        // Every group is taken to its end, also where another one failed: nothing is committed that nobody waits for.
        let mut failure = None;
        for (group, result) in rounds.buffer_unordered(PARALLEL_GROUPS).collect::<Vec<_>>().await {
            match result {
                Ok(one) => made.extend(one),
                Err(CommandError::Refused(refused)) => {
                    // One group that cannot be invoiced does not hold up the others; it stays pending.
                    metrics::counter!("billstream_groups_not_invoiced_total", "reason" => refused.code()).increment(1);
                    tracing::warn!(subscription = %group.subscription, %refused, "a group cannot be invoiced");
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

    /// One invoice over everything pending of a group, or none where another call was faster.
    async fn invoice_group(
        &self,
        request: &Request,
        group: PendingGroup,
        payer: Payer,
    ) -> Result<Option<Made>, CommandError> {
        let name = format!(
            "{}/{}",
            group.subscription,
            if group.automatic_payment { "automatic" } else { "manual" }
        );
        let part = request.part(&name);
        let invoice = InvoiceId(part.derive("invoice"));
        let subscription = group.subscription.to_string();
        let streams = with_credit(Streams::new(), &request.tenant, payer)
            .with::<Subscription>(&subscription)
            .with_new::<Invoice>(invoice)
            .with::<NumberSeries>(series(&request.tenant));
        self.journal
            .execute(&part, streams, |unit| {
                let charges: Vec<Charge> = unit
                    .state::<Subscription>(&subscription)
                    .pending()
                    .filter(|charge| charge.automatic_payment == group.automatic_payment)
                    .cloned()
                    .collect();
                if charges.is_empty() {
                    return Ok(None);
                }
                let today = today(unit, group.subscription);
                let issued = issue(unit, group.subscription, payer, invoice, today, charges)?;
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
        let mut groups: BTreeMap<PendingGroup, (Payer, BTreeSet<ChargeId>)> = BTreeMap::new();
        for id in charges {
            let (group, payer) = self.group_of(&request.tenant, *id, scope).await?;
            groups.entry(group).or_insert((payer, BTreeSet::new())).1.insert(*id);
        }
        let plan: Vec<(PendingGroup, Payer, BTreeSet<ChargeId>, InvoiceId)> = groups
            .into_iter()
            .map(|(group, (payer, ids))| {
                let name = format!("{}/{}", group.subscription, group.automatic_payment);
                (group, payer, ids, InvoiceId(request.derive(&name)))
            })
            .collect();
        let mut streams = Streams::new().with::<NumberSeries>(series(&request.tenant));
        for (group, payer, _, invoice) in &plan {
            streams = with_credit(streams, &request.tenant, *payer)
                .with::<Subscription>(group.subscription)
                .with_new::<Invoice>(invoice);
        }
        let result = self
            .journal
            .execute(request, streams, |unit| {
                let mut made = Vec::with_capacity(plan.len());
                for (group, payer, ids, invoice) in &plan {
                    let state = unit.state::<Subscription>(&group.subscription.to_string());
                    let charges: Vec<Charge> = state
                        .pending()
                        .filter(|charge| ids.contains(&charge.id))
                        .cloned()
                        .collect();
                    if let Some(missing) = ids.iter().find(|id| charges.iter().all(|charge| charge.id != **id)) {
                        return Err(subscription::Refused::ChargeNotPending { charge: *missing }.into());
                    }
                    let today = today(unit, group.subscription);
                    made.push(issue(unit, group.subscription, *payer, *invoice, today, charges)?.invoice);
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

    pub(super) async fn group_of(
        &self,
        tenant: &TenantId,
        id: ChargeId,
        scope: Scope,
    ) -> Result<(PendingGroup, Payer), InvoicingError> {
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
        let owner = projections::subscription::subscription(views, tenant, charge.subscription)
            .await
            .map_err(CommandError::from)?;
        let owner = owner.ok_or(InvoicingError::UnknownSubscription(charge.subscription))?;
        if scope.customer.is_some_and(|customer| customer != owner.customer) {
            return Err(InvoicingError::OutOfScope(id));
        }
        if charge.invoice.is_some() {
            return Err(InvoicingError::AlreadyInvoiced(id));
        }
        let group = PendingGroup {
            subscription: charge.subscription,
            automatic_payment: charge.automatic_payment,
        };
        let payer = Payer {
            customer: owner.customer,
            currency: owner.currency,
        };
        Ok((group, payer))
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

/// Takes the charges from their subscription, a number from the series, and issues the invoice over both. What the
/// charges come to below zero becomes credit of the customer's; what they come to above it is paid from there first.
pub(super) fn issue<D: Desk>(
    desk: &mut D,
    subscription: SubscriptionId,
    payer: Payer,
    invoice: InvoiceId,
    issue_date: NaiveDate,
    charges: Vec<Charge>,
) -> Result<invoice::Issued, CommandError> {
    let at = desk.at();
    let stream = subscription.to_string();
    let agreement = desk.state::<Subscription>(&stream).agreement();
    let agreement = agreement.ok_or(subscription::Refused::Unknown)?;
    let (customer, zone) = (agreement.customer, agreement.zone());
    let processor = agreement.terms.processor().map(str::to_owned);
    if customer != payer.customer {
        return Err(CommandError::Conflict);
    }
    let ids = charges.iter().map(|charge| charge.id).collect();
    desk.send::<Subscription>(
        &stream,
        &subscription::Command::InvoiceCharges {
            at,
            invoice,
            charges: ids,
        },
    )?;
    let take = number_series::Command::TakeNumber {
        for_document: invoice.to_string(),
    };
    let series = series(desk.tenant());
    let taken = desk.send::<NumberSeries>(&series, &take)?;
    let [number_series::Event::NumberTaken { number, .. }] = taken.as_slice() else {
        return Err(CommandError::Corrupt("a number series gave no number".into()));
    };
    let number = *number;
    let account = credit(desk.tenant(), payer);
    let issue = invoice::Command::Issue {
        at,
        invoice,
        number,
        customer,
        subscription,
        issue_date,
        charges,
        credit: desk.state::<Credit>(&account).balance(payer.currency)?,
        zone,
        processor,
    };
    let issued = desk.send::<Invoice>(&invoice.to_string(), &issue)?;
    let [invoice::Event::Issued { issued, .. }] = issued.as_slice() else {
        return Err(CommandError::Corrupt("an invoice was not issued".into()));
    };
    settle(desk, &account, issued)?;
    Ok((**issued).clone())
}

/// Moves the credit that the invoice says was granted or used.
fn settle<D: Desk>(desk: &mut D, account: &str, issued: &invoice::Issued) -> Result<(), CommandError> {
    let (at, customer, invoice) = (desk.at(), issued.customer, issued.invoice);
    if let Some(amount) = issued.credit_granted {
        let grant = credit::Command::Grant {
            at,
            customer,
            amount,
            source: credit::Source::Invoice { invoice },
        };
        desk.send::<Credit>(account, &grant)?;
    }
    if let Some(amount) = issued.credit_applied {
        let use_up = credit::Command::Use {
            at,
            customer,
            amount,
            invoice,
        };
        desk.send::<Credit>(account, &use_up)?;
    }
    Ok(())
}
