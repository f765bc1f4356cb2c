//! Credit of customers: given, and looked at. Invoices use it and grant it by themselves.

use aggregates::{
    credit::{self, Command, Credit, Source},
    customer::{self, Customer},
    id::{CustomerId, TenantId},
    money::Money,
};
use projections::subscription::Payer;

use super::{App, invoicing};
use crate::journal::{CommandError, Request, Streams};

impl App {
    /// Gives a customer credit; answers with what there is of it then.
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
        let (stream, account) = (customer.to_string(), invoicing::credit(&request.tenant, payer));
        let streams = Streams::new().with::<Customer>(&stream).with::<Credit>(&account);
        self.journal
            .execute(request, streams, |unit| {
                match unit.state::<Customer>(&stream) {
                    Customer::Absent => return Err(customer::Refused::Unknown.into()),
                    Customer::Forgotten { .. } => return Err(customer::Refused::Forgotten.into()),
                    Customer::Known { .. } => {}
                }
                let grant = Command::Grant {
                    at: unit.at(),
                    customer,
                    amount,
                    source: Source::Gift {
                        reason: reason.to_owned(),
                    },
                };
                let events = unit.send::<Credit>(&account, &grant)?;
                let mut balance = events.iter().map(|event| match event {
                    credit::Event::Granted { balance, .. } | credit::Event::Used { balance, .. } => *balance,
                });
                balance
                    .next_back()
                    .ok_or(CommandError::Corrupt("credit was not granted".into()))
            })
            .await
    }

    /// What a customer has, one amount a currency.
    pub async fn credit_of(&self, tenant: &TenantId, customer: CustomerId) -> Result<Vec<Money>, CommandError> {
        Ok(projections::credit::balances(self.journal.views(), tenant, customer).await?)
    }
}
