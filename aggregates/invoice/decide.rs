//! Invoices: the decisions.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Collection, Command, Event, Issued, Line, Refused};
use crate::{
    Decider,
    billing::{self, Balance, DraftLine, PaymentRefused},
    calendar,
    id::SubscriptionId,
    money::Money,
    subscription::Charge,
};

/// How long a reference may be, in bytes.
const MAX_REFERENCE: usize = 255;
/// How long a reason may be, in characters.
const MAX_REASON: usize = 500;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Invoice {
    #[default]
    Absent,
    Issued {
        issued: Box<Issued>,
        balance: Balance,
    },
    /// Nothing is to be paid of it. What comes all the same is too much.
    Voided {
        issued: Box<Issued>,
        balance: Balance,
    },
}

impl Invoice {
    /// What the invoice says; what is left to pay of it is told by [`Invoice::open`].
    pub fn issued(&self) -> Option<&Issued> {
        match self {
            Self::Absent => None,
            Self::Issued { issued, .. } | Self::Voided { issued, .. } => Some(issued),
        }
    }

    /// What is left to pay.
    pub fn open(&self) -> Result<Money, Refused> {
        match self {
            Self::Absent => Err(Refused::Unknown),
            Self::Issued { balance, .. } | Self::Voided { balance, .. } => Ok(balance.left()?),
        }
    }

    pub fn is_voided(&self) -> bool {
        matches!(self, Self::Voided { .. })
    }
}

impl Decider for Invoice {
    const TYPE: &'static str = "invoice";
    type Command = Command;
    type Event = Event;
    type Refused = Refused;

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refused> {
        match (self, command) {
            (Self::Absent, Command::Issue { .. }) => issue(command),
            (Self::Issued { .. } | Self::Voided { .. }, Command::Issue { .. }) => Err(Refused::AlreadyIssued),
            (Self::Absent, Command::Pay { .. } | Command::ApplyCredit { .. } | Command::Void { .. }) => {
                Err(Refused::Unknown)
            }
            (Self::Issued { issued, balance } | Self::Voided { issued, balance }, Command::Pay { .. }) => {
                pay(issued, balance, command)
            }
            (
                Self::Issued { issued, balance } | Self::Voided { issued, balance },
                Command::ApplyCredit { at, amount },
            ) => apply_credit(issued, balance, *at, *amount),
            (Self::Issued { issued, balance }, Command::Void { at, reason }) => void(issued, balance, *at, reason),
            (Self::Voided { .. }, Command::Void { .. }) => Ok(Vec::new()),
        }
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Issued { issued, .. } => {
                *self = Self::Issued {
                    balance: Balance::of(issued.to_pay()),
                    issued: issued.clone(),
                }
            }
            Event::PaymentRecorded { reference, amount, .. } => {
                if let Self::Issued { balance, .. } | Self::Voided { balance, .. } = self {
                    balance.note(reference, *amount);
                }
            }
            Event::CreditApplied { to_pay, .. } => {
                if let Self::Issued { balance, .. } = self {
                    balance.set_to_pay(*to_pay);
                }
            }
            Event::Voided { .. } => {
                if let Self::Issued { issued, balance } = self {
                    balance.set_to_pay(Money::zero(issued.currency));
                    *self = Self::Voided {
                        issued: issued.clone(),
                        balance: balance.clone(),
                    };
                }
            }
        }
    }
}

fn pay(issued: &Issued, balance: &Balance, command: &Command) -> Result<Vec<Event>, Refused> {
    let Command::Pay {
        at,
        reference,
        amount,
        method,
        paid_at,
    } = command
    else {
        return Ok(Vec::new());
    };
    let reference = reference.trim();
    if reference.is_empty() || reference.len() > MAX_REFERENCE {
        return Err(Refused::ReferenceMissing);
    }
    if amount.currency != issued.currency {
        return Err(Refused::WrongCurrency {
            expected: issued.currency,
            got: amount.currency,
        });
    }
    if amount.minor <= 0 {
        return Err(Refused::NothingPaid);
    }
    if balance.known(reference) == Some(*amount) {
        return Ok(Vec::new());
    }
    let mut after = balance.clone();
    after.pay(reference, *amount)?;
    if paid_at > at {
        return Err(Refused::PaidInTheFuture);
    }
    let (before, left) = (balance.left()?, after.left()?);
    let applied = before.checked_sub(left)?;
    let overpaid = amount.checked_sub(applied)?;
    Ok(vec![Event::PaymentRecorded {
        at: *at,
        invoice: issued.invoice,
        customer: issued.customer,
        reference: reference.to_owned(),
        amount: *amount,
        applied,
        overpaid: Some(overpaid).filter(|overpaid| overpaid.minor != 0),
        method: method.clone(),
        paid_at: *paid_at,
        paid: after.to_pay().checked_sub(left)?,
        balance: left,
    }])
}

fn apply_credit(issued: &Issued, balance: &Balance, at: DateTime<Utc>, amount: Money) -> Result<Vec<Event>, Refused> {
    let open = balance.left()?;
    if amount.minor <= 0 || amount.currency != open.currency || amount.minor > open.minor {
        return Err(Refused::MoreThanOpen { open });
    }
    let to_pay = balance.to_pay().checked_sub(amount)?;
    Ok(vec![Event::CreditApplied {
        at,
        invoice: issued.invoice,
        customer: issued.customer,
        amount,
        credit_applied: paid_by_credit(issued, to_pay)?,
        to_pay,
        balance: open.checked_sub(amount)?,
    }])
}

/// What credit has paid of it, at its issue and since, where so much is left for payments.
fn paid_by_credit(issued: &Issued, to_pay: Money) -> Result<Money, Refused> {
    let at_issue = issued.credit_applied.unwrap_or(Money::zero(issued.currency));
    let since = issued.to_pay().checked_sub(to_pay)?;
    Ok(at_issue.checked_add(since)?)
}

/// Money that was received stays received: such an invoice stands.
fn void(issued: &Issued, balance: &Balance, at: DateTime<Utc>, reason: &str) -> Result<Vec<Event>, Refused> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON {
        return Err(Refused::ReasonMissing);
    }
    if balance.has_payments() {
        return Err(Refused::Paid);
    }
    let credit_returned = paid_by_credit(issued, balance.to_pay())?;
    Ok(vec![Event::Voided {
        at,
        invoice: issued.invoice,
        customer: issued.customer,
        reason: reason.to_owned(),
        credit_returned: Some(credit_returned).filter(|credit| credit.minor > 0),
        credit_taken_back: issued.credit_granted.filter(|credit| credit.minor > 0),
    }])
}

impl From<PaymentRefused> for Refused {
    fn from(refused: PaymentRefused) -> Self {
        match refused {
            PaymentRefused::ReferenceTaken { reference } => Self::ReferenceTaken { reference },
            PaymentRefused::Money(error) => Self::Money(error),
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
        others,
        credit,
        zone,
        processor,
        notice,
    } = command
    else {
        return Ok(Vec::new());
    };
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
    let due_date = earliest.unwrap_or(first.due_date).max(*issue_date);
    let collected = first.automatic_payment && settlement.to_pay.minor > 0;
    let collection = calendar::midnight(due_date, *zone)
        .filter(|_| collected)
        .map(|at| Collection {
            at,
            processor: processor.clone(),
        });
    let issued = Issued {
        invoice: *invoice,
        number: *number,
        customer: *customer,
        subscription: *subscription,
        currency,
        issue_date: *issue_date,
        due_date,
        automatic_payment: first.automatic_payment,
        lines: charges
            .iter()
            .zip(&draft.lines)
            .map(|(charge, drafted)| line(charge, drafted, others.get(&charge.id).copied()))
            .collect(),
        total: draft.total,
        taxes: draft.taxes,
        credit_granted: some(settlement.credit_granted),
        credit_applied: some(settlement.credit_applied),
        to_pay: Some(settlement.to_pay).filter(|to_pay| *to_pay != draft.total),
        collection: collection.map(Box::new),
        notice: notice.clone().map(Box::new),
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

fn line(charge: &Charge, drafted: &DraftLine, subscription: Option<SubscriptionId>) -> Line {
    Line {
        charge: charge.id,
        name: charge.name.clone(),
        amount: charge.amount,
        period: charge.period,
        flat_fee: charge.flat_fee,
        due_date: charge.due_date,
        tax_rate: charge.tax_rate,
        tax: drafted.tax,
        subscription,
        tax_policy: charge.tax_rate.map(|_| drafted.tax_policy),
        policy: charge
            .explanation
            .as_ref()
            .and_then(|explanation| explanation.policy_version),
    }
}
