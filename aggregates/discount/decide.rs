//! Discounts: the decisions.

use serde::{Deserialize, Serialize};

use super::{Command, Event, Refused};
use crate::{Decider, billing::Discount, money::Currency};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiscountRecord {
    #[default]
    Absent,
    Active {
        name: String,
        currency: Option<Currency>,
        terms: Discount,
    },
}

impl Decider for DiscountRecord {
    const TYPE: &'static str = "discount";
    type Command = Command;
    type Event = Event;
    type Refused = Refused;

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refused> {
        match (self, command) {
            (Self::Active { .. }, Command::Create { .. }) => Err(Refused::AlreadyExists),
            (
                Self::Absent,
                Command::Create {
                    at,
                    discount,
                    name,
                    currency,
                    terms,
                },
            ) => {
                if name.trim().is_empty() {
                    return Err(Refused::NameMissing);
                }
                let (percent, fixed) = (terms.percent, terms.fixed);
                let alone = Discount {
                    percent,
                    ..Discount::default()
                };
                alone.validate().map_err(Refused::Amount)?;
                let alone = Discount {
                    fixed,
                    ..Discount::default()
                };
                alone.validate().map_err(Refused::Fixed)?;
                match (terms.percent, terms.fixed) {
                    (None, None) => return Err(Refused::Nothing),
                    (_, Some(_)) if currency.is_none() => return Err(Refused::CurrencyMissing),
                    _ => {}
                }
                Ok(vec![Event::Created {
                    at: *at,
                    discount: *discount,
                    name: name.clone(),
                    currency: *currency,
                    terms: terms.clone(),
                }])
            }
        }
    }

    fn apply(&mut self, event: &Event) {
        let Event::Created {
            name, currency, terms, ..
        } = event;
        *self = Self::Active {
            name: name.clone(),
            currency: *currency,
            terms: terms.clone(),
        };
    }
}
