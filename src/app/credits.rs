//! Credit of customers: given, looked at, and used for what is open. Invoices use it and grant it by themselves when
//! they are issued.

use aggregates::{
    credit::{Command, Credit, Grant, Source},
    customer::{self, Customer},
    id::{CustomerId, InvoiceId, TenantId},
    invoice::{self, Invoice},
    money::Money,
    payment::{Payment, payment_id},
};
use projections::subscription::Payer;

use super::{App, desk::Desk, invoicing};
use crate::journal::{CommandError, Request, Streams};

/// How many open invoices are paid in one append.
const AT_ONCE: usize = 100;

/// What a customer has in one currency, and of which grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditOf {
    pub balance: Money,
    /// Those with something left, in the order in which they are used.
    pub grants: Vec<Grant>,
}

impl App {
    /// Gives a customer credit, and pays with it what is open of their invoices in that currency, oldest first; answers
    /// with what there is of credit then.
    pub async fn grant_credit(
        &self,
        request: &Request,
        customer: CustomerId,
        amount: Money,
        reason: &str,
    ) -> Result<Money, CommandError> {
        let payer = Payer {
            customer,
            currency: amount.currency,
        };
        let open = self.open_invoices(&request.tenant, payer).await?;
        let (stream, account) = (customer.to_string(), invoicing::credit(&request.tenant, payer));
        let streams = with_invoices(&request.tenant, &open)
            .with::<Customer>(&stream)
            .with::<Credit>(&account);
        let balance = self
            .journal
            .execute(request, streams, |unit| {
                match unit.state::<Customer>(&stream) {
                    Customer::Absent => return Err(customer::Refused::Unknown.into()),
                    Customer::Forgotten { .. } => return Err(customer::Refused::Forgotten.into()),
                    Customer::Known { profile, .. } => profile.is_billed_in(amount.currency)?,
                }
                let grant = Command::Grant {
                    at: unit.at(),
                    customer,
                    amount,
                    source: Source::Gift {
                        reason: reason.to_owned(),
                    },
                };
                unit.send::<Credit>(&account, &grant)?;
                pay_from_credit(unit, payer, &account, &open)?;
                Ok(unit.state::<Credit>(&account).balance(payer.currency)?)
            })
            .await?;
        if balance.minor > 0 {
            self.use_credit(request, payer).await?;
        }
        Ok(balance)
    }

    /// Pays what is open of the customer's invoices in the currency from their credit, oldest first, as far as it goes.
    pub(super) async fn use_credit(&self, request: &Request, payer: Payer) -> Result<(), CommandError> {
        let account = invoicing::credit(&request.tenant, payer);
        loop {
            let there = self.credit_of(&request.tenant, payer.customer).await?;
            if !there
                .iter()
                .any(|there| there.currency == payer.currency && there.minor > 0)
            {
                return Ok(());
            }
            let open = self.open_invoices(&request.tenant, payer).await?;
            if open.is_empty() {
                return Ok(());
            }
            // What there is to use is told by the log, whatever was done before: this is a command of its own each time.
            let next = Request {
                request_id: request.request_id.clone(),
                ..Request::new(request.tenant.clone(), &*request.actor, request.dialect, request.at)
            };
            let streams = with_invoices(&request.tenant, &open).with::<Credit>(&account);
            let used = self
                .journal
                .execute(&next, streams, |unit| pay_from_credit(unit, payer, &account, &open))
                .await?;
            if !used {
                return Ok(());
            }
        }
    }

    pub(super) async fn open_invoices(&self, tenant: &TenantId, payer: Payer) -> Result<Vec<InvoiceId>, CommandError> {
        let Payer { customer, currency } = payer;
        Ok(projections::invoice::open(self.journal.views(), tenant, customer, currency, AT_ONCE).await?)
    }

    /// What a customer has, one amount a currency.
    pub async fn credit_of(&self, tenant: &TenantId, customer: CustomerId) -> Result<Vec<Money>, CommandError> {
        Ok(projections::credit::balances(self.journal.views(), tenant, customer).await?)
    }

    /// The same with the grants it comes of; `None` where there is no such customer.
    pub async fn credit_with_grants(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
    ) -> Result<Option<Vec<CreditOf>>, CommandError> {
        if projections::customer::customer(self.journal.views(), tenant, customer)
            .await?
            .is_none()
        {
            return Ok(None);
        }
        let mut all = Vec::new();
        for balance in self.credit_of(tenant, customer).await? {
            let currency = balance.currency;
            let account = invoicing::credit(tenant, Payer { customer, currency });
            let state: Credit = self.journal.state(tenant, &account).await?;
            all.push(CreditOf {
                balance: state.balance(currency)?,
                grants: state.grants,
            });
        }
        Ok(Some(all))
    }
}

pub(super) fn with_invoices(tenant: &TenantId, invoices: &[InvoiceId]) -> Streams {
    let with = |streams: Streams, invoice: &InvoiceId| {
        streams
            .with::<Invoice>(invoice)
            .with::<Payment>(payment_id(tenant, *invoice))
    };
    invoices.iter().fold(Streams::new(), with)
}

/// Whether any of it was used. What is being collected is left alone: that money may come.
pub(super) fn pay_from_credit<D: Desk>(
    desk: &mut D,
    payer: Payer,
    account: &str,
    invoices: &[InvoiceId],
) -> Result<bool, CommandError> {
    let at = desk.at();
    let mut used = false;
    for invoice in invoices {
        let collected = payment_id(desk.tenant(), *invoice).to_string();
        if desk.state::<Payment>(&collected).is_under_way() {
            continue;
        }
        let stream = invoice.to_string();
        let there = desk.state::<Credit>(account).balance(payer.currency)?;
        let open = desk.state::<Invoice>(&stream).open()?;
        let amount = Money::new(there.minor.min(open.minor), payer.currency);
        if amount.minor <= 0 {
            continue;
        }
        let (customer, invoice) = (payer.customer, *invoice);
        let use_up = Command::Use {
            at,
            customer,
            amount,
            invoice,
        };
        desk.send::<Credit>(account, &use_up)?;
        desk.send::<Invoice>(&stream, &invoice::Command::ApplyCredit { at, amount })?;
        used = true;
    }
    Ok(used)
}
