//! Purchases: the decisions, and the documented sum.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Command, Details, Event, Product, Refused, Status};
use crate::{
    Decider,
    id::CustomerId,
    money::{self, Money},
    personal::Personal,
};

/// A purchase as far as decisions need it: what it says in detail stays in its events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purchase {
    #[default]
    Absent,
    Open {
        customer: CustomerId,
        total: Money,
        status: Status,
    },
}

impl Decider for Purchase {
    const TYPE: &'static str = "purchase";
    type Command = Command;
    type Event = Event;
    type Refused = Refused;

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refused> {
        match (self, command) {
            (
                Self::Absent,
                Command::Create {
                    at,
                    purchase,
                    customer,
                    number,
                    order,
                    client,
                },
            ) => {
                if order.due <= *at {
                    return Err(Refused::DueInThePast);
                }
                Ok(vec![Event::Created {
                    at: *at,
                    purchase: *purchase,
                    customer: *customer,
                    number: *number,
                    order: order.clone(),
                    total: payable(&order.details, order.skip_capture)?,
                    personal: Personal::known(client.clone()),
                }])
            }
            (Self::Open { .. }, Command::Create { .. }) => Err(Refused::AlreadyExists),
            (
                Self::Open {
                    status: Status::Created,
                    ..
                },
                Command::MarkSent { at },
            ) => Ok(vec![Event::Sent { at: *at }]),
            (
                Self::Open {
                    status: Status::Sent, ..
                },
                Command::MarkSent { .. },
            ) => Ok(Vec::new()), // already so: a retry is not an error
            (
                Self::Open {
                    status: status @ (Status::Paid | Status::Cancelled),
                    ..
                },
                Command::MarkSent { .. },
            ) => Err(Refused::NotToBeSent { status: *status }),
            (Self::Open { status, .. }, Command::MarkAsPaid { at, paid_on }) => match status {
                Status::Created | Status::Sent if paid_on > at => Err(Refused::PaidInTheFuture),
                Status::Created | Status::Sent => Ok(vec![Event::MarkedAsPaid {
                    at: *at,
                    paid_on: *paid_on,
                }]),
                Status::Paid | Status::Cancelled => Err(Refused::NotPayable { status: *status }),
            },
            (Self::Open { status, .. }, Command::Cancel { at }) => match status {
                Status::Created | Status::Sent => Ok(vec![Event::Cancelled { at: *at }]),
                Status::Paid | Status::Cancelled => Err(Refused::NotCancellable { status: *status }),
            },
            (Self::Absent, Command::MarkSent { .. } | Command::MarkAsPaid { .. } | Command::Cancel { .. }) => {
                Err(Refused::Unknown)
            }
        }
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Created { customer, total, .. } => {
                *self = Self::Open {
                    customer: *customer,
                    total: *total,
                    status: Status::Created,
                };
            }
            Event::Sent { .. } => self.reach(Status::Sent),
            Event::MarkedAsPaid { .. } => self.reach(Status::Paid),
            Event::Cancelled { .. } => self.reach(Status::Cancelled),
        }
    }
}

impl Purchase {
    fn reach(&mut self, reached: Status) {
        if let Self::Open { status, .. } = self {
            *status = reached;
        }
    }
}

/// The total of what can be paid: nothing at all may be due only where the money is not taken at once.
pub fn payable(details: &Details, skip_capture: bool) -> Result<Money, Refused> {
    let minor = total(details)?;
    if minor < 0 || (minor == 0 && !skip_capture) {
        return Err(Refused::NothingToPay);
    }
    Ok(Money::new(minor, details.currency))
}

/// What is to be paid, in minor units: every line rounded once, with its tax, then the debt.
pub fn total(details: &Details) -> Result<i64, Refused> {
    if details.products.is_empty() {
        return Err(Refused::NoProducts);
    }
    let mut sum = details.debt;
    for (line, product) in details.products.iter().enumerate() {
        let amount = line_total(product)?.ok_or(Refused::ProductSubtotalNegative { line })?;
        sum = sum.checked_add(amount).ok_or(Refused::Overflow)?;
    }
    Ok(details.total_override.unwrap_or(sum))
}

/// What one line comes to; `None` where its discount is larger than price times quantity, which not even an override
/// may hide.
///
/// The exact value is built of whole numbers, because a decimal that runs out of digits would round by itself.
pub fn line_total(product: &Product) -> Result<Option<i64>, Refused> {
    let (quantity, tax) = (product.quantity, product.tax_percent);
    let one = 10_i128.checked_pow(quantity.scale()).ok_or(Refused::Overflow)?;
    let discount = i128::from(product.discount).checked_mul(one).ok_or(Refused::Overflow)?;
    let base = i128::from(product.price)
        .checked_mul(quantity.mantissa())
        .and_then(|gross| gross.checked_sub(discount))
        .ok_or(Refused::Overflow)?;
    if base < 0 {
        return Ok(None);
    }
    if let Some(amount) = product.total_price_override {
        return Ok(Some(amount));
    }
    let hundred = 10_i128.checked_pow(tax.scale() + 2).ok_or(Refused::Overflow)?;
    let exact = hundred
        .checked_add(tax.mantissa())
        .and_then(|factor| factor.checked_mul(base))
        .ok_or(Refused::Overflow)?;
    let exact =
        Decimal::try_from_i128_with_scale(exact, quantity.scale() + tax.scale() + 2).map_err(|_| Refused::Overflow)?;
    Ok(Some(money::round_minor(exact)?))
}
