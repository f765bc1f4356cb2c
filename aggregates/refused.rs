//! Every refusal of the domain in one type, so that a dialect can map all of them in one exhaustive `match`.

use crate::{
    billing_template, catalog, credit, customer, discount, fulfilment, invoice, message, number_series, payment,
    preferences, purchase, subscriber, subscription, tenant, usage, usage_entry,
};

macro_rules! refusals {
    ($($variant:ident($module:ident)),+ $(,)?) => {
        #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
        pub enum Refused {
            $(#[error(transparent)] $variant(#[from] $module::Refused),)+
        }
        impl Refused {
            /// A stable word for machines.
            pub fn code(&self) -> &'static str {
                match self {
                    $(Self::$variant(refused) => refused.code(),)+
                }
            }
        }
    };
}

refusals! {
    BillingTemplate(billing_template),
    Catalog(catalog),
    Credit(credit),
    Customer(customer),
    Discount(discount),
    Fulfilment(fulfilment),
    Invoice(invoice),
    Message(message),
    NumberSeries(number_series),
    Payment(payment),
    Preferences(preferences),
    Purchase(purchase),
    Subscriber(subscriber),
    Subscription(subscription),
    Tenant(tenant),
    Usage(usage),
    UsageEntry(usage_entry),
}
