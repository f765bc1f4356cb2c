//! Invoices: the decisions.

use serde::{Deserialize, Serialize};

use super::{Command, Event, Issued, Line, Refused};
use crate::{
    Decider,
    billing::{self, DraftLine},
    money::Money,
    subscription::Charge,
};

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
            (Self::Absent, Command::Issue { .. }) => issue(command),
            (Self::Issued(_), Command::Issue { .. }) => Err(Refused::AlreadyIssued),
        }
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Issued { issued, .. } => *self = Self::Issued(issued.clone()),
        }
    }
}

fn issue(command: &Command) -> Result<Vec<Event>, Refused> {
    let Command::Issue {
        at,
        invoice,
        number,
        customer,
        subscription,
        issue_date,
        charges,
        credit,
    } = command;
    let first = charges.first().ok_or(Refused::NoLines)?;
    if charges
        .iter()
        .any(|charge| charge.automatic_payment != first.automatic_payment)
    {
        return Err(Refused::MixedPayment);
    }
    let currency = first.amount.currency;
    let earliest = charges.iter().map(|charge| charge.due_date).min();
    let draft = billing::draft(currency, charges.iter().map(draft_line).collect(), *credit)?;
    let settlement = draft.settlement;
    let some = |amount: Money| Some(amount).filter(|amount| amount.minor != 0);
    let issued = Issued {
        invoice: *invoice,
        number: *number,
        customer: *customer,
        subscription: *subscription,
        currency,
        issue_date: *issue_date,
        due_date: earliest.unwrap_or(first.due_date).max(*issue_date),
        automatic_payment: first.automatic_payment,
        lines: charges
            .iter()
            .zip(&draft.lines)
            .map(|(charge, drafted)| line(charge, drafted))
            .collect(),
        total: draft.total,
        taxes: draft.taxes,
        credit_granted: some(settlement.credit_granted),
        credit_applied: some(settlement.credit_applied),
        to_pay: Some(settlement.to_pay).filter(|to_pay| *to_pay != draft.total),
    };
    Ok(vec![Event::Issued {
        at: *at,
        issued: Box::new(issued),
    }])
}

fn draft_line(charge: &Charge) -> DraftLine {
    DraftLine {
        charge: charge.id,
        name: charge.name.clone(),
        period: charge.period,
        amount: charge.amount,
        tax_rate: charge.tax_rate,
        tax_policy: charge.tax_policy(),
        tax: None,
    }
}

fn line(charge: &Charge, drafted: &DraftLine) -> Line {
    Line {
        charge: charge.id,
        name: charge.name.clone(),
        amount: charge.amount,
        period: charge.period,
        flat_fee: charge.flat_fee,
        due_date: charge.due_date,
        tax_rate: charge.tax_rate,
        tax: drafted.tax,
        tax_policy: charge.tax_rate.map(|_| drafted.tax_policy),
        policy: charge
            .explanation
            .as_ref()
            .and_then(|explanation| explanation.policy_version),
    }
}
