//! What can be asked of a discount.

use chrono::{DateTime, Utc};

use crate::{billing::Discount, id::DiscountId, money::Currency};

#[derive(Clone, Debug)]
pub enum Command {
    Create {
        at: DateTime<Utc>,
        discount: DiscountId,
        name: String,
        /// Of the fixed amount, where there is one.
        currency: Option<Currency>,
        terms: Discount,
    },
}
