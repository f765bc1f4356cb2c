//! `SendBilling`: one order invoiced to many customers, all of them or none.

use std::collections::BTreeSet;

use aggregates::{
    billing_template::{self, BillingTemplate},
    customer::{self, Contact, Customer, Profile},
    id::{BillingTemplateId, CustomerId, PurchaseId, TenantId},
    number_series::NumberSeries,
    preferences::Preferences,
    purchase::{Order, Purchase},
};
use hmac::{Hmac, Mac};
use projections::{customer::CustomerView, page::Page, tenant::TenantView};
use sha2::Sha256;
use tokio::sync::OnceCell;

use super::{
    App,
    customers::{customer_with_code, in_the_tenants_zone},
    purchases::{NewPurchase, client_now, make_purchase, series},
};
use crate::journal::{CommandError, Request, Streams, Unit};

/// The tenant's secret that makes account codes of e-mail addresses.
const CODES: &str = "email-codes";
/// How many customers a call may name.
pub const MAX_RECIPIENTS: usize = 1000;
/// How much one call may write: the order, once for every recipient.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// How many codes an e-mail address may lead to: the next one counts where the one before is another customer's.
const GENERATIONS: u32 = 3;

/// Who is to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payer {
    Known(CustomerId),
    /// Found again by the main e-mail address, else created.
    ByEmail {
        email: String,
        contact: Box<Contact>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    pub payer: Payer,
    pub payment_methods: Option<Vec<String>>,
    pub reference: String,
}

/// Why nothing was billed.
#[derive(Debug, thiserror::Error)]
pub enum BillingError {
    #[error("nobody is billed")]
    NoRecipients,
    #[error("more than {MAX_RECIPIENTS} customers were named")]
    TooMany,
    #[error("the order is too large to be sent to so many customers in one call")]
    TooLarge,
    /// Recipients are counted from 0.
    #[error("the customer of recipient {index} is not known")]
    UnknownCustomer { index: usize },
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// A recipient with the customers it may turn out to be, in order of preference.
struct Candidates<'a> {
    recipient: &'a Recipient,
    purchase: PurchaseId,
    customers: Vec<Candidate>,
}

struct Candidate {
    id: CustomerId,
    /// Under which code the customer is created where there is none; `None` for one that must exist.
    code: Option<String>,
}

impl App {
    /// Makes a purchase for every recipient and sends it; answers with their ids in the order of the recipients.
    pub async fn send_billing(
        &self,
        request: &Request,
        recipients: &[Recipient],
        order: &Order,
    ) -> Result<Vec<PurchaseId>, BillingError> {
        if let Some(done) = self.billing_sent(request).await? {
            return Ok(done);
        }
        if recipients.is_empty() {
            return Err(BillingError::NoRecipients);
        }
        if recipients.len() > MAX_RECIPIENTS {
            return Err(BillingError::TooMany);
        }
        // Every recipient gets the order as a whole, in one transaction that all other commands wait for.
        let bytes = serde_json::to_vec(order)
            .map_err(|error| CommandError::Corrupt(Box::new(error)))?
            .len();
        if bytes.saturating_mul(recipients.len()) > MAX_BYTES {
            return Err(BillingError::TooLarge);
        }
        let series = series(&request.tenant);
        let tenant = request.tenant.as_str();
        let mut streams = Streams::new().with::<Preferences>(tenant).with::<NumberSeries>(&series);
        let mut plan = Vec::with_capacity(recipients.len());
        let mut wanted = BTreeSet::new();
        let secret = OnceCell::new();
        for (index, recipient) in recipients.iter().enumerate() {
            let purchase = PurchaseId(request.derive(&format!("purchase/{index}")));
            let customers = self.candidates(&request.tenant, &recipient.payer, &secret).await?;
            streams = streams.with_new::<Purchase>(purchase);
            wanted.extend(customers.iter().map(|candidate| candidate.id));
            plan.push(Candidates {
                recipient,
                purchase,
                customers,
            });
        }
        for customer in &wanted {
            streams = streams.with::<Customer>(customer);
        }
        let unknown = std::sync::Mutex::new(None);
        let result = self
            .journal
            .execute(request, streams, |unit| {
                let mut made = Vec::with_capacity(plan.len());
                for (index, candidates) in plan.iter().enumerate() {
                    let Some(customer) = settle(unit, tenant, candidates)? else {
                        if let Ok(mut unknown) = unknown.lock() {
                            *unknown = Some(index);
                        }
                        return Err(customer::Refused::Unknown.into());
                    };
                    bill(unit, &series, candidates, customer, order)?;
                    made.push(candidates.purchase);
                }
                Ok(made)
            })
            .await;
        match (result, unknown.into_inner()) {
            (
                Err(CommandError::Refused(aggregates::Refused::Customer(customer::Refused::Unknown))),
                Ok(Some(index)),
            ) => Err(BillingError::UnknownCustomer { index }),
            (result, _) => Ok(result?),
        }
    }

    /// Makes a purchase of a one-off template for one recipient and sends it.
    pub async fn send_template_invoice(
        &self,
        request: &Request,
        template: BillingTemplateId,
        recipient: &Recipient,
    ) -> Result<PurchaseId, BillingError> {
        let series = series(&request.tenant);
        let candidates = Candidates {
            recipient,
            purchase: PurchaseId(request.derive("purchase")),
            customers: self
                .candidates(&request.tenant, &recipient.payer, &OnceCell::new())
                .await?,
        };
        let tenant = request.tenant.as_str();
        let mut streams = Streams::new()
            .with::<BillingTemplate>(template)
            .with::<Preferences>(tenant)
            .with::<NumberSeries>(&series)
            .with_new::<Purchase>(candidates.purchase);
        for customer in &candidates.customers {
            streams = streams.with::<Customer>(customer.id);
        }
        let result = self
            .journal
            .execute(request, streams, |unit| {
                let known = unit.state::<BillingTemplate>(&template.to_string()).known();
                let terms = &known.ok_or(billing_template::Refused::Unknown)?.terms;
                let order = terms.invoice(template, unit.at())?;
                let customer = settle(unit, tenant, &candidates)?.ok_or(customer::Refused::Unknown)?;
                bill(unit, &series, &candidates, customer, &order)?;
                Ok(candidates.purchase)
            })
            .await;
        match result {
            Err(CommandError::Refused(aggregates::Refused::Customer(customer::Refused::Unknown))) => {
                Err(BillingError::UnknownCustomer { index: 0 })
            }
            result => Ok(result?),
        }
    }

    /// What a call under this key has made before.
    pub async fn billing_sent(&self, request: &Request) -> Result<Option<Vec<PurchaseId>>, CommandError> {
        if request.keyed {
            self.journal.reply(request).await
        } else {
            Ok(None)
        }
    }

    /// The merchant in whose name is billed.
    pub async fn merchant(&self, tenant: &TenantId) -> Result<TenantView, CommandError> {
        let found = projections::tenant::tenant(self.journal.views(), tenant).await?;
        found.ok_or_else(|| CommandError::Corrupt(format!("tenant {tenant} has a key but no record").into()))
    }

    /// A page of the customers that are not forgotten.
    pub async fn customers(&self, tenant: &TenantId, page: &Page) -> Result<Vec<CustomerView>, CommandError> {
        Ok(projections::customer::customers(self.journal.views(), tenant, page).await?)
    }

    /// `secret` is read once for all recipients of a call, if at all.
    async fn candidates(
        &self,
        tenant: &TenantId,
        payer: &Payer,
        secret: &OnceCell<[u8; 32]>,
    ) -> Result<Vec<Candidate>, CommandError> {
        match payer {
            Payer::Known(id) => Ok(vec![Candidate { id: *id, code: None }]),
            Payer::ByEmail { email, .. } => {
                let found = projections::customer::customer_by_email(self.journal.views(), tenant, email).await?;
                let found = found.map(|customer| Candidate {
                    id: customer.id,
                    code: None,
                });
                let secret = secret.get_or_try_init(|| self.journal.secret(tenant, CODES)).await?;
                let codes = (0..GENERATIONS).map(|generation| {
                    let code = email_code(secret, email, generation);
                    let id = customer_with_code(tenant, &code);
                    Candidate { id, code: Some(code) }
                });
                Ok(found.into_iter().chain(codes).collect())
            }
        }
    }
}

/// Which customer a recipient is, now that all it may be are locked: one that is known, or a new one. `None` where the
/// named customer does not exist.
fn settle(unit: &mut Unit<'_>, tenant: &str, candidates: &Candidates<'_>) -> Result<Option<CustomerId>, CommandError> {
    let (email, contact) = match &candidates.recipient.payer {
        Payer::Known(id) => {
            let known = matches!(unit.state::<Customer>(&id.to_string()), Customer::Known { .. });
            return Ok(known.then_some(*id));
        }
        Payer::ByEmail { email, contact } => (email, contact),
    };
    for Candidate { id, code } in &candidates.customers {
        let stream = id.to_string();
        match (unit.state::<Customer>(&stream), code) {
            (Customer::Known { contact, .. }, _) => {
                let main = contact.get().and_then(Contact::main_email);
                if main.is_some_and(|main| main.to_lowercase() == email.to_lowercase()) {
                    return Ok(Some(*id));
                }
            }
            (Customer::Absent, Some(code)) => {
                let create = customer::Command::Create {
                    at: unit.at(),
                    customer: *id,
                    code: code.clone(),
                    profile: in_the_tenants_zone(unit, tenant, Profile::default()),
                    contact: (**contact).clone(),
                };
                unit.send::<Customer>(&stream, &create)?;
                return Ok(Some(*id));
            }
            (Customer::Absent, None) | (Customer::Forgotten { .. }, _) => {}
        }
    }
    // Every code this address leads to is another customer's.
    Err(CommandError::Conflict)
}

/// Makes one purchase with the next number and sends it.
fn bill(
    unit: &mut Unit<'_>,
    series: &str,
    candidates: &Candidates<'_>,
    customer: CustomerId,
    order: &Order,
) -> Result<(), CommandError> {
    let client = match &candidates.recipient.payer {
        Payer::Known(_) => client_now(unit, customer),
        // UNCONFIRMED: the purchase says what the call said; a client found again by its e-mail is not changed.
        Payer::ByEmail { contact, .. } => contact.clone(),
    };
    let order = Order {
        payment_methods: candidates.recipient.payment_methods.clone(),
        reference: candidates.recipient.reference.clone(),
        ..order.clone()
    };
    let new = NewPurchase {
        purchase: candidates.purchase,
        customer,
        client,
        order,
        sent: true,
    };
    make_purchase(unit, series, new).map(drop)
}

/// The account code a new customer with this address gets: the same for everybody who asks at the same time.
///
/// Codes stand in the open in the log and outlive a person who is forgotten, so they must not tell the address to those
/// who guess it: they are keyed (HMAC-SHA-256) with a secret of the tenant that is kept with the keys of the subjects.
/// Whoever has the log, or a copy of the database without its keys, learns nothing from a code. Whoever has the keys
/// too can still try addresses on the code of a forgotten customer; a match is one in 36^6. Clients made by
/// `POST /clients/` and accounts get codes that have nothing to do with an address. Should the secret be lost, codes
/// come out differently: customers who are not forgotten are found by their address all the same.
fn email_code(secret: &[u8; 32], email: &str, generation: u32) -> String {
    const ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    // HMAC fills a key up to the block of its hash with zeros; given whole it cannot be of a wrong length.
    let mut block = [0; 64];
    block[..32].copy_from_slice(secret);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(format!("email/{generation}/{}", email.to_lowercase()).as_bytes());
    let digest = mac.finalize().into_bytes();
    let codes = digest.iter().take(6);
    codes.map(|byte| char::from(ALPHABET[usize::from(byte % 36)])).collect()
}

#[cfg(test)]
mod tests {
    use super::email_code;

    #[test]
    fn a_code_follows_from_the_secret_and_the_address_in_any_case() {
        let code = |secret: u8, email, generation| email_code(&[secret; 32], email, generation);
        assert_eq!(code(1, "Ada@Example.com", 0), code(1, "ada@example.com", 0));
        assert_ne!(code(1, "ada@example.com", 0), code(1, "ada@example.com", 1));
        assert_ne!(code(1, "ada@example.com", 0), code(2, "ada@example.com", 0));
        assert_eq!(code(1, "ada@example.com", 2).len(), 6);
    }
}
