//! Invoices: the decisions.

use serde::{Deserialize, Serialize};

use super::{Command, Event, Issued, Line, Refused};
use crate::{Decider, money::Money, subscription::Charge};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Invoice {
    #[default]
    Absent,
    Issued(Box<Issued>),
}

impl Decider for Invoice {
    const TYPE: &'static str = "invoice";
    type Command = Command;
    type Event = Event;
    type Refused = Refused;

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refused> {
        match (self, command) {
            (
                Self::Absent,
                Command::Issue {
                    at,
                    invoice,
                    number,
                    customer,
                    subscription,
                    issue_date,
                    charges,
                },
            ) => {
                let first = charges.first().ok_or(Refused::NoLines)?;
                if charges
                    .iter()
                    .any(|charge| charge.automatic_payment != first.automatic_payment)
                {
                    return Err(Refused::MixedPayment);
                }
                let currency = first.amount.currency;
                let earliest = charges
                    .iter()
                    .map(|charge| charge.due_date)
                    .min()
                    .unwrap_or(first.due_date);
                let issued = Issued {
                    invoice: *invoice,
                    number: *number,
                    customer: *customer,
                    subscription: *subscription,
                    currency,
                    issue_date: *issue_date,
                    due_date: earliest.max(*issue_date),
                    automatic_payment: first.automatic_payment,
                    total: Money::sum(currency, charges.iter().map(|charge| charge.amount))?,
                    lines: charges.iter().map(line).collect(),
                };
                Ok(vec![Event::Issued {
                    at: *at,
                    issued: Box::new(issued),
                }])
            }
            (Self::Issued(_), Command::Issue { .. }) => Err(Refused::AlreadyIssued),
        }
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Issued { issued, .. } => *self = Self::Issued(issued.clone()),
        }
    }
}

fn line(charge: &Charge) -> Line {
    Line {
        charge: charge.id,
        name: charge.name.clone(),
        amount: charge.amount,
        period: charge.period,
        flat_fee: charge.flat_fee,
        due_date: charge.due_date,
    }
}
