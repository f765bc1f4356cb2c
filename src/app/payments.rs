//! Payments of invoices: recorded when they came in, and collected when they are due.

use aggregates::{
    credit::{self, Credit, Source},
    id::{InvoiceId, PaymentId, TenantId},
    invoice::{self, Invoice},
    message::Occasion,
    money::{Currency, Money},
    order_terms::catalogue,
    payment::{self, Payment, Wanted, payment_id},
};
use chrono::{DateTime, Utc};
use projections::{
    invoice::{InvoicePayment, InvoiceView},
    payment::{PaymentView, Status},
    subscription::Payer,
};
use serde::{Deserialize, Serialize};

use super::{App, invoicing};
use crate::journal::{CommandError, Request, Streams, Unit};

/// A payment as whoever took it states it: the amount is read in the invoice's currency.
#[derive(Clone, Debug)]
pub struct Paid {
    pub amount: String,
    /// Must be the invoice's, where it is named.
    pub currency: Option<Currency>,
    pub reference: String,
    pub method: Option<String>,
    /// Now when `None`.
    pub at: Option<DateTime<Utc>>,
}

/// What recording a payment led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub invoice: InvoiceView,
    pub payment: InvoicePayment,
    /// What was left to pay of the invoice then.
    pub balance: Money,
    /// The reference was not known before.
    pub new: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Noted {
    balance: Money,
    new: bool,
}

/// How somebody who collects says it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Succeeded { reference: String },
    Failed { reason: String },
}

impl App {
    /// Records a payment of an invoice. What is too much becomes credit of the customer's; a reference counts once.
    pub async fn record_payment(
        &self,
        request: &Request,
        id: InvoiceId,
        paid: &Paid,
    ) -> Result<Recorded, CommandError> {
        let view = self.invoice_of(&request.tenant, id).await?;
        if let Some(got) = paid.currency.filter(|got| *got != view.currency) {
            let expected = view.currency;
            return Err(invoice::Refused::WrongCurrency { expected, got }.into());
        }
        let amount = Money::parse(&paid.amount, view.currency).map_err(invoice::Refused::Money)?;
        let payer = payer(&view);
        let (stream, account) = (id.to_string(), invoicing::credit(&request.tenant, payer));
        let collected = payment_id(&request.tenant, id).to_string();
        let streams = Streams::new()
            .with::<Invoice>(&stream)
            .with::<Credit>(&account)
            .with::<Payment>(&collected);
        let noted = self
            .journal
            .execute(request, streams, |unit| {
                let pay = invoice::Command::Pay {
                    at: unit.at(),
                    reference: paid.reference.clone(),
                    amount,
                    method: paid.method.clone(),
                    paid_at: paid.at.unwrap_or(unit.at()),
                };
                let noted = note(unit, &stream, &account, &pay)?;
                if noted.balance.minor == 0 {
                    let at = unit.at();
                    unit.send::<Payment>(&collected, &payment::Command::Withdraw { at })?;
                }
                Ok(noted)
            })
            .await?;
        let payment = self.noted(&request.tenant, &view, paid.reference.trim()).await?;
        // A repetition too: the credit may have been left when the process ended.
        if payment.amount.minor > payment.applied.minor {
            self.use_credit(request, payer).await?;
        }
        Ok(Recorded {
            invoice: view,
            payment,
            balance: noted.balance,
            new: noted.new,
        })
    }

    /// The payment of a reference that was recorded just now or before.
    async fn noted(
        &self,
        tenant: &TenantId,
        invoice: &InvoiceView,
        reference: &str,
    ) -> Result<InvoicePayment, CommandError> {
        let views = self.journal.views();
        let payment = projections::invoice::payment(views, tenant, invoice, reference).await?;
        payment.ok_or_else(|| CommandError::Corrupt("a payment was not recorded".into()))
    }

    /// A page of the payments of an invoice beyond a position, in the order in which they were recorded.
    pub async fn payments_of(
        &self,
        tenant: &TenantId,
        id: InvoiceId,
        after: i64,
        limit: usize,
    ) -> Result<(InvoiceView, Vec<InvoicePayment>), CommandError> {
        let view = self.invoice_of(tenant, id).await?;
        let payments = projections::invoice::payments(self.journal.views(), tenant, &view, after, limit).await?;
        Ok((view, payments))
    }

    pub(super) async fn invoice_of(&self, tenant: &TenantId, id: InvoiceId) -> Result<InvoiceView, CommandError> {
        let view = projections::invoice::invoice(self.journal.views(), tenant, id).await?;
        Ok(view.ok_or(invoice::Refused::Unknown)?)
    }

    /// Asks for what is open of an invoice once the customer's credit is used, once for ever and not before it is due;
    /// `None` where nothing is.
    pub async fn request_payment(
        &self,
        request: &Request,
        invoice: InvoiceId,
    ) -> Result<Option<PaymentId>, CommandError> {
        let view = self.invoice_of(&request.tenant, invoice).await?;
        self.use_credit(request, payer(&view)).await?;
        let id = payment_id(&request.tenant, invoice);
        let (stream, bill) = (id.to_string(), invoice.to_string());
        let streams = Streams::new().with_new::<Payment>(&stream).with::<Invoice>(&bill);
        self.journal
            .execute(request, streams, |unit| {
                let state = unit.state::<Invoice>(&bill);
                let amount = state.open()?;
                let issued = state.issued().ok_or(invoice::Refused::Unknown)?;
                if issued.collected_at().is_some_and(|due| due > unit.at()) {
                    return Err(payment::Refused::NotDue.into());
                }
                if amount.minor <= 0 {
                    return Ok(None);
                }
                let collection = issued.collection.as_deref();
                let wanted = Wanted {
                    payment: id,
                    invoice,
                    customer: issued.customer,
                    amount,
                    processor: collection.and_then(|collection| collection.processor.clone()),
                    notice: issued
                        .notice
                        .as_ref()
                        .and_then(|notice| catalogue::notice(&notice.profile, Occasion::PaymentFailed))
                        .map(Box::new),
                };
                let at = unit.at();
                unit.send::<Payment>(&stream, &payment::Command::Request { at, wanted })?;
                Ok(Some(id))
            })
            .await
    }

    /// Notes how a collection went. Of one that succeeded the invoice is paid in the same append.
    pub async fn settle_payment(
        &self,
        request: &Request,
        id: PaymentId,
        outcome: &Outcome,
    ) -> Result<PaymentView, CommandError> {
        let view = self.payment(&request.tenant, id).await?;
        let view = view.ok_or(payment::Refused::Unknown)?;
        let payer = Payer {
            customer: view.customer,
            currency: view.amount.currency,
        };
        let (stream, bill) = (id.to_string(), view.invoice.to_string());
        let account = invoicing::credit(&request.tenant, payer);
        let streams = Streams::new()
            .with::<Payment>(&stream)
            .with::<Invoice>(&bill)
            .with::<Credit>(&account);
        self.journal
            .execute(request, streams, |unit| {
                let at = unit.at();
                let command = match outcome {
                    Outcome::Failed { reason } => payment::Command::Fail {
                        at,
                        reason: reason.clone(),
                    },
                    Outcome::Succeeded { reference } => payment::Command::Succeed {
                        at,
                        reference: reference.trim().to_owned(),
                    },
                };
                let events = unit.send::<Payment>(&stream, &command)?;
                let Some(payment::Event::Succeeded { reference, .. }) = events.first() else {
                    return Ok(());
                };
                let pay = invoice::Command::Pay {
                    at,
                    reference: reference.clone(),
                    amount: view.amount,
                    method: view.processor.clone(),
                    paid_at: at,
                };
                note(unit, &bill, &account, &pay)?;
                Ok(())
            })
            .await?;
        let settled = self.payment(&request.tenant, id).await?;
        let settled = settled.ok_or(payment::Refused::Unknown)?;
        let credit = match settled.status {
            // What was given while it was under way has waited for this.
            Status::Failed => true,
            Status::Succeeded => {
                let invoice = self.invoice_of(&request.tenant, settled.invoice).await?;
                let reference = settled.reference.as_deref().unwrap_or_default();
                let came = self.noted(&request.tenant, &invoice, reference).await?;
                came.amount.minor > came.applied.minor
            }
            Status::Requested | Status::Withdrawn => false,
        };
        if credit {
            self.use_credit(request, payer).await?;
            let settled = self.payment(&request.tenant, id).await?;
            return settled.ok_or_else(|| payment::Refused::Unknown.into());
        }
        Ok(settled)
    }

    pub async fn payment(&self, tenant: &TenantId, id: PaymentId) -> Result<Option<PaymentView>, CommandError> {
        Ok(projections::payment::payment(self.journal.views(), tenant, id).await?)
    }

    /// A page of the payments that were asked for, beyond a position; all of them, or those of a status.
    pub async fn payments(
        &self,
        tenant: &TenantId,
        status: Option<Status>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<PaymentView>, CommandError> {
        Ok(projections::payment::payments(self.journal.views(), tenant, status, after, limit).await?)
    }
}

pub(super) fn payer(invoice: &InvoiceView) -> Payer {
    Payer {
        customer: invoice.customer,
        currency: invoice.currency,
    }
}

/// Pays the invoice; what is too much goes to the customer's account.
fn note(unit: &mut Unit<'_>, invoice: &str, account: &str, pay: &invoice::Command) -> Result<Noted, CommandError> {
    let events = unit.send::<Invoice>(invoice, pay)?;
    for event in &events {
        if let invoice::Event::PaymentRecorded {
            at,
            invoice,
            customer,
            reference,
            overpaid: Some(amount),
            ..
        } = event
        {
            let grant = credit::Command::Grant {
                at: *at,
                customer: *customer,
                amount: *amount,
                source: Source::Overpayment {
                    invoice: *invoice,
                    reference: reference.clone(),
                },
            };
            unit.send::<Credit>(account, &grant)?;
        }
    }
    Ok(Noted {
        balance: unit.state::<Invoice>(invoice).open()?,
        new: !events.is_empty(),
    })
}
