//! Credit: the decisions.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Command, Event, Refused, Source, Taken};
use crate::{
    Decider,
    id::{CustomerId, InvoiceId},
    money::{Currency, Money},
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// The number of the last grant.
    pub last: u32,
    /// What is left of grants, oldest first; those used up are gone.
    pub grants: Vec<Grant>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub number: u32,
    pub at: DateTime<Utc>,
    pub amount: Money,
    pub left: Money,
    pub source: Source,
}

impl Credit {
    /// What can be used, in that currency.
    pub fn balance(&self, currency: Currency) -> Result<Money, Refused> {
        let left = self.grants.iter().map(|grant| grant.left);
        Ok(Money::sum(currency, left)?)
    }
}

impl Decider for Credit {
    const TYPE: &'static str = "credit";
    const STATE_VERSION: u32 = 2;
    const SNAPSHOT_EVERY: i64 = 256;
    type Command = Command;
    type Event = Event;
    type Refused = Refused;

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refused> {
        match command {
            Command::Grant { amount, .. } | Command::Use { amount, .. } | Command::TakeBack { amount, .. }
                if amount.minor <= 0 =>
            {
                Err(Refused::NothingToMove)
            }
            Command::Grant {
                at,
                customer,
                amount,
                source,
            } => {
                let balance = self.balance(amount.currency)?.checked_add(*amount)?;
                Ok(vec![Event::Granted {
                    at: *at,
                    customer: *customer,
                    grant: self.last.checked_add(1).ok_or(Refused::Exhausted)?,
                    amount: *amount,
                    balance,
                    source: source.clone(),
                }])
            }
            Command::Use {
                at,
                customer,
                amount,
                invoice,
            } => self.use_up(*at, *customer, *amount, *invoice),
            Command::TakeBack {
                at,
                customer,
                amount,
                invoice,
            } => self.take_back(*at, *customer, *amount, *invoice),
        }
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Granted {
                at,
                grant,
                amount,
                source,
                ..
            } => {
                self.last = *grant;
                self.grants.push(Grant {
                    number: *grant,
                    at: *at,
                    amount: *amount,
                    left: *amount,
                    source: source.clone(),
                });
            }
            Event::Used { taken, .. } => self.lose(taken),
            Event::TakenBack { grant, amount, .. } => self.lose(&[Taken {
                grant: *grant,
                amount: *amount,
            }]),
        }
    }
}

impl Credit {
    fn lose(&mut self, taken: &[Taken]) {
        for taken in taken {
            let mut grants = self.grants.iter_mut();
            if let Some(grant) = grants.find(|grant| grant.number == taken.grant) {
                grant.left.minor -= taken.amount.minor;
            }
        }
        self.grants.retain(|grant| grant.left.minor > 0);
    }

    fn take_back(
        &self,
        at: DateTime<Utc>,
        customer: CustomerId,
        amount: Money,
        invoice: InvoiceId,
    ) -> Result<Vec<Event>, Refused> {
        let granted = Source::Invoice { invoice };
        let own = self.grants.iter().filter(|grant| grant.source == granted);
        // What was used of it is there again where what it paid was voided, too.
        let returned = |grant: &&Grant| matches!(grant.source, Source::VoidedInvoice { .. });
        let returned = self.grants.iter().filter(returned);
        let (mut used, mut balance) = (amount, self.balance(amount.currency)?);
        let mut events = Vec::new();
        for grant in own.chain(returned) {
            let part = Money::new(used.minor.min(grant.left.minor), amount.currency);
            if part.minor <= 0 {
                continue;
            }
            used = used.checked_sub(part)?;
            balance = balance.checked_sub(part)?;
            events.push(Event::TakenBack {
                at,
                customer,
                invoice,
                grant: grant.number,
                amount: part,
                balance,
            });
        }
        if used.minor > 0 {
            return Err(Refused::AlreadyUsed { used });
        }
        Ok(events)
    }

    fn use_up(
        &self,
        at: DateTime<Utc>,
        customer: CustomerId,
        amount: Money,
        invoice: InvoiceId,
    ) -> Result<Vec<Event>, Refused> {
        let balance = self.balance(amount.currency)?;
        if amount.minor > balance.minor {
            return Err(Refused::NotEnough { balance });
        }
        let mut open = amount.minor;
        let mut taken = Vec::new();
        for grant in &self.grants {
            let part = open.min(grant.left.minor);
            if part > 0 {
                taken.push(Taken {
                    grant: grant.number,
                    amount: Money::new(part, amount.currency),
                });
                open -= part;
            }
        }
        Ok(vec![Event::Used {
            at,
            customer,
            invoice,
            amount,
            balance: balance.checked_sub(amount)?,
            taken,
        }])
    }
}
