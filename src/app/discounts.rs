//! Discounts: made once, named when a contract is signed.

use aggregates::{
    billing::Discount,
    discount::{Command, DiscountRecord},
    id::{DiscountId, TenantId},
    money::Currency,
};

use super::App;
use crate::journal::{CommandError, Request, Streams};

/// A discount before it has an id.
#[derive(Clone, Debug)]
pub struct NewDiscount {
    pub name: String,
    pub currency: Option<Currency>,
    pub terms: Discount,
}

impl App {
    pub async fn create_discount(&self, request: &Request, new: &NewDiscount) -> Result<DiscountId, CommandError> {
        let discount = DiscountId(request.derive("discount"));
        let stream = discount.to_string();
        self.journal
            .execute(request, Streams::new().with_new::<DiscountRecord>(&stream), |unit| {
                let create = Command::Create {
                    at: unit.at(),
                    discount,
                    name: new.name.clone(),
                    currency: new.currency,
                    terms: new.terms.clone(),
                };
                unit.send::<DiscountRecord>(&stream, &create)?;
                Ok(discount)
            })
            .await
    }

    /// The discount as it was made; it never changes.
    pub async fn discount(&self, tenant: &TenantId, id: DiscountId) -> Result<DiscountRecord, CommandError> {
        self.journal.state(tenant, &id.to_string()).await
    }
}
