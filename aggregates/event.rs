//! Every event of the domain in one type: what projections match on, and how stored events are read back.

use crate::{
    Decider, Recordable, billing_template::BillingTemplate, catalog::Plan, credit::Credit, customer::Customer,
    discount::DiscountRecord, fulfilment::Fulfilment, invoice::Invoice, message::Message, number_series::NumberSeries,
    payment::Payment, preferences::Preferences, purchase::Purchase, subscriber::Subscriber, subscription::Subscription,
    tenant::Tenant, usage::Meter, usage_entry::UsageEntry,
};

/// Something to be done with an aggregate's type where only its name is known.
pub trait Visitor {
    type Output;
    fn visit<A: Decider + cqrs_es::Aggregate>(self) -> Self::Output
    where
        <A as Decider>::Event: TryFromAny;
}

/// The way back from [`AnyEvent`] to one aggregate's event.
pub trait TryFromAny: Sized {
    fn try_from_any(event: &AnyEvent) -> Option<&Self>;
}

#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("no aggregate is called \"{aggregate_type}\"")]
    UnknownAggregate { aggregate_type: String },
    #[error("event {name} v{version} does not read back: {source}")]
    Malformed {
        name: String,
        version: u32,
        source: serde_json::Error,
    },
}

macro_rules! events {
    ($($variant:ident($aggregate:ty)),+ $(,)?) => {
        #[derive(Clone, Debug, PartialEq)]
        pub enum AnyEvent {
            $($variant(<$aggregate as Decider>::Event),)+
        }

        $(impl From<<$aggregate as Decider>::Event> for AnyEvent {
            fn from(event: <$aggregate as Decider>::Event) -> Self {
                Self::$variant(event)
            }
        })+

        $(impl TryFromAny for <$aggregate as Decider>::Event {
            fn try_from_any(event: &AnyEvent) -> Option<&Self> {
                match event {
                    AnyEvent::$variant(event) => Some(event),
                    _ => None,
                }
            }
        })+

        impl AnyEvent {
            /// The stable written name of the event.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(event) => event.name(),)+
                }
            }

            /// Whose personal data the event holds.
            pub fn subject(&self) -> Option<String> {
                match self {
                    $(Self::$variant(event) => event.subject(),)+
                }
            }

            /// Reads a stored payload of the current version (upcasters have run before).
            pub fn decode(aggregate_type: &str, name: &str, version: u32, payload: &str) -> Result<Self, DecodeError> {
                let malformed = |source| DecodeError::Malformed { name: name.to_owned(), version, source };
                match aggregate_type {
                    $(<$aggregate as Decider>::TYPE => {
                        serde_json::from_str(payload).map(Self::$variant).map_err(malformed)
                    })+
                    _ => Err(DecodeError::UnknownAggregate { aggregate_type: aggregate_type.to_owned() }),
                }
            }
        }

        /// The state that a history leads to, as JSON; `None` where no aggregate has that name.
        pub fn state_after<'a>(
            aggregate_type: &str,
            history: impl Iterator<Item = &'a AnyEvent>,
        ) -> Option<Result<serde_json::Value, serde_json::Error>> {
            match aggregate_type {
                $(<$aggregate as Decider>::TYPE => {
                    let mut state = <$aggregate>::default();
                    for event in history {
                        if let AnyEvent::$variant(event) = event {
                            state.apply(event);
                        }
                    }
                    Some(serde_json::to_value(&state))
                })+
                _ => None,
            }
        }

        /// Shows the visitor the aggregate of that name; `None` where there is none.
        pub fn visit<V: Visitor>(aggregate_type: &str, visitor: V) -> Option<V::Output> {
            match aggregate_type {
                $(<$aggregate as Decider>::TYPE => Some(visitor.visit::<$aggregate>()),)+
                _ => None,
            }
        }

        /// The stable names of all aggregates.
        pub const AGGREGATE_TYPES: &[&str] = &[$(<$aggregate as Decider>::TYPE),+];
    };
}

events! {
    BillingTemplate(BillingTemplate),
    Catalog(Plan),
    Credit(Credit),
    Customer(Customer),
    Discount(DiscountRecord),
    Fulfilment(Fulfilment),
    Invoice(Invoice),
    Message(Message),
    NumberSeries(NumberSeries),
    Payment(Payment),
    Preferences(Preferences),
    Purchase(Purchase),
    Subscriber(Subscriber),
    Subscription(Subscription),
    Tenant(Tenant),
    Usage(Meter),
    UsageEntry(UsageEntry),
}
