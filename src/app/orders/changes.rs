//! Changes of running orders: lines added, changed and taken away, another billing period, an end, a new beginning; what
//! they would come to; and the invoices of an order.

use aggregates::{
    calendar::{local_date, midnight},
    id::{InvoiceId, SubscriptionId, TenantId},
    order_terms::{OrderBillingChanges, OrderBillingPreferences},
    subscription::{self, Agreement, Command, LineChange, OrderChange, Subscription, Terms},
};
use chrono::{DateTime, Days, NaiveDate, Utc};
use projections::{
    invoice::{Filter, InvoiceView},
    page::Page,
    subscription::Scope,
};

use super::{
    Placed,
    lines::{check_totals, named},
    placed,
};
use crate::{
    app::{
        App,
        billing_run::units::MOST_ON_ONE_INVOICE,
        desk::{Desk, Rehearsal},
        fulfilments::{undelivered, with_latest},
        invoicing::{InvoicingError, Selection},
        previews::{MOST_STEPS, Preview, open_bills::OpenBills, rehearse},
        usage::used_days::{self, with_usage},
    },
    journal::{CommandError, Request, Streams},
};

impl App {
    pub async fn change_order(
        &self,
        request: &Request,
        number: &str,
        change: &OrderChange,
    ) -> Result<Placed, CommandError> {
        if request.keyed
            && let Some(done) = self.journal.reply(request).await?
        {
            return Ok(done);
        }
        let view = self.order(&request.tenant, number).await?;
        let id = view.ok_or(subscription::Refused::Unknown)?.id;
        let stream = id.to_string();
        self.journal
            .execute(
                request,
                with_usage(Streams::new().with::<Subscription>(id), id),
                |unit| {
                    perform(unit, id, change)?;
                    placed(unit, &stream, number)
                },
            )
            .await
    }

    /// What the change, and billing the order until it is billed, would come to: at `at`, or on the day of the change
    /// after it, or so many days later as its invoices are.
    pub async fn preview_order_change(
        &self,
        tenant: &TenantId,
        id: SubscriptionId,
        change: &OrderChange,
        at: DateTime<Utc>,
    ) -> Result<Preview, CommandError> {
        let mut desk = Rehearsal::new(tenant.clone(), at);
        let payer = self.lay(&mut desk, id).await?;
        let payer = payer.ok_or(subscription::Refused::Unknown)?;
        let day = perform(&mut desk, id, change)?;
        let agreement = desk.state::<Subscription>(&id.to_string()).agreement();
        let agreement = agreement.ok_or(subscription::Refused::Unknown)?;
        let late = Days::new(agreement.policy().invoice_days.max(0).unsigned_abs());
        let day = day.checked_add_days(late).unwrap_or(day);
        let until = midnight(day, agreement.zone()).map_or(at, |day| day.max(at));
        let mut preview = Preview::default();
        let (mut bills, mut steps) = (OpenBills::of(tenant, payer), MOST_STEPS);
        let others = self.sharing_until(&desk, id, until).await?;
        if others.len() >= MOST_ON_ONE_INVOICE {
            let asked = (id, true);
            self.rehearse_by_pages(&mut desk, asked, others, until, &mut bills, &mut preview)
                .await?;
            return Ok(preview);
        }
        let together = self.lay_all(&mut desk, id, others).await?;
        let asked = (together.as_slice(), Some(id));
        rehearse(self, &mut desk, asked, &mut bills, until, &mut preview, &mut steps).await?;
        preview.keep(id);
        Ok(preview)
    }

    /// Sends an order's activation, or its reactivation.
    pub async fn start_order(
        &self,
        request: &Request,
        number: &str,
        effective: Option<NaiveDate>,
        again: bool,
    ) -> Result<Placed, CommandError> {
        if request.keyed
            && let Some(done) = self.journal.reply(request).await?
        {
            return Ok(done);
        }
        let view = self.order(&request.tenant, number).await?;
        let id = view.ok_or(subscription::Refused::Unknown)?.id;
        let (stream, order) = (id.to_string(), self.subscription_state(&request.tenant, id).await?);
        self.journal
            .execute(request, with_latest(&request.tenant, id, &order), |unit| {
                let at = unit.at();
                let agreement = unit.state::<Subscription>(&stream).agreement();
                let zone = agreement.ok_or(subscription::Refused::Unknown)?.zone();
                let day = effective.unwrap_or_else(|| local_date(at, zone));
                let command = if again {
                    let undelivered = undelivered(unit, id)?;
                    Command::Reactivate {
                        at,
                        from: day,
                        undelivered,
                    }
                } else {
                    Command::Activate { at, activation: day }
                };
                unit.send::<Subscription>(&stream, &command)?;
                placed(unit, &stream, number)
            })
            .await
    }

    /// Bills the order, and puts everything that waits on invoices: also where its terms leave that to a call.
    pub async fn invoice_order(&self, request: &Request, number: &str) -> Result<Vec<InvoiceId>, InvoicingError> {
        if request.keyed
            && let Some(done) = self.journal.reply(request).await?
        {
            return Ok(done);
        }
        let view = self.order(&request.tenant, number).await?;
        let id = view.ok_or(CommandError::from(subscription::Refused::Unknown))?.id;
        let billing = request.part("billing");
        let billed = self.bill_subscription(&billing, id, request.at).await?;
        // A call that was cut off and is sent again, or is sent twice at once, names what it made before.
        let mut invoices = if request.keyed {
            self.billed_before(&billing).await?
        } else {
            billed.invoices
        };
        let scope = Scope {
            customer: None,
            subscription: Some(id),
        };
        let part = request.part("invoices");
        invoices.extend(self.create_invoices(&part, &Selection::Pending(scope)).await?);
        if invoices.is_empty() {
            return Err(CommandError::from(subscription::Refused::NothingToInvoice).into());
        }
        Ok(self
            .journal
            .execute(request, Streams::new(), |_| Ok(invoices.clone()))
            .await?)
    }

    /// A page of an order's invoices, without the first `skip` of it.
    pub async fn invoices_of_order(
        &self,
        tenant: &TenantId,
        id: SubscriptionId,
        page: &Page,
        skip: u32,
    ) -> Result<Vec<InvoiceView>, CommandError> {
        let filter = Filter {
            subscription: Some(id),
            ..Filter::default()
        };
        let views = self.journal.views();
        Ok(projections::invoice::invoices_beyond(views, tenant, &filter, page, skip).await?)
    }

    pub async fn invoice_count_of_order(&self, tenant: &TenantId, id: SubscriptionId) -> Result<i64, CommandError> {
        let filter = Filter {
            subscription: Some(id),
            ..Filter::default()
        };
        self.count_invoices(tenant, &filter).await
    }
}

/// Sends what the change is made of; answers with its day.
fn perform<D: Desk>(desk: &mut D, id: SubscriptionId, wanted: &OrderChange) -> Result<NaiveDate, CommandError> {
    let (at, stream) = (desk.at(), id.to_string());
    let state = desk.state::<Subscription>(&stream);
    let agreement = state.agreement().ok_or(subscription::Refused::Unknown)?;
    let effective = wanted.effective.unwrap_or_else(|| local_date(at, agreement.zone()));
    let changes = state.ordered(wanted, effective)?;
    if let Some(first) = changes.first() {
        check_totals(agreement, first)?;
    }
    for change in changes {
        let change = Box::new(change);
        used_days::send(desk, id, Command::Change { at, change })?;
    }
    prefer(desk, &stream, wanted, effective)?;
    Ok(effective)
}

pub(super) fn order_billing(agreement: &Agreement) -> Result<&OrderBillingPreferences, CommandError> {
    match &agreement.terms {
        Terms::Order { billing } => Ok(billing),
        Terms::Contract { .. } => Err(subscription::Refused::NotAnOrder.into()),
    }
}

/// Sends how the order and its lines are billed from now on, as far as the change says so.
fn prefer<D: Desk>(desk: &mut D, stream: &str, wanted: &OrderChange, effective: NaiveDate) -> Result<(), CommandError> {
    let at = desk.at();
    if wanted.billing != OrderBillingChanges::default() {
        let agreement = desk.state::<Subscription>(stream).agreement();
        let now = order_billing(agreement.ok_or(subscription::Refused::Unknown)?)?;
        let preferences = Box::new(wanted.billing.clone().over(now));
        desk.send::<Subscription>(stream, &Command::UpdateBillingPreferences { at, preferences })?;
    }
    for change in &wanted.lines {
        let (line, billing) = (change.line(), change.billing());
        let early = billing.and_then(|billing| billing.named.fixed_start);
        if early.is_some_and(|start| start < effective) && matches!(change, LineChange::Add { .. }) {
            let start = effective;
            return Err(subscription::Refused::LineTooEarly { line, start }.into());
        }
        let agreement = desk.state::<Subscription>(stream).agreement();
        let agreement = agreement.ok_or(subscription::Refused::Unknown)?;
        let tax = change.tax().and_then(|tax| named(agreement, line, tax));
        if billing.is_none() && tax.is_none() {
            continue;
        }
        let now = agreement.line_billing(line).cloned().unwrap_or_default();
        let mut billing = billing.cloned().unwrap_or_default().over(&now);
        if let Some(tax) = tax {
            billing.name_tax(tax);
        }
        let billing = Box::new(billing);
        desk.send::<Subscription>(stream, &Command::UpdateLineBilling { at, line, billing })?;
    }
    Ok(())
}
