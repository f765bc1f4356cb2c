//! Customers: created under a short account code, changed by merge, forgotten on request.

use aggregates::{
    Decider, Refused,
    customer::{self, Command, Contact, Customer, Event, Profile},
    event::TryFromAny,
    id::{CustomerId, TenantId},
    preferences::Preferences,
};
use projections::{
    customer::{CustomerView, Filter},
    page::Page,
};
use uuid::Uuid;

use super::App;
use crate::journal::{CommandError, Request, Streams, Unit};

/// How many codes are tried before the tenant's code space counts as full.
const CODES_TRIED: u32 = 16;
/// The version of a customer that was just created.
pub const CREATED: i64 = 1;

impl App {
    /// Creates a customer under the caller's code, or under a free one made here. A code of the caller's that is taken
    /// is refused; codes made here follow from the command id, so a retry under the same key finds the same customer.
    pub async fn create_customer(
        &self,
        request: &Request,
        code: Option<&str>,
        profile: Profile,
        contact: Contact,
    ) -> Result<CustomerId, CommandError> {
        if let Some(code) = code {
            return self.create_under(request, code.to_owned(), &profile, &contact).await;
        }
        let mut tried = 0;
        loop {
            let code = account_code(request.derive(&format!("account code {tried}")));
            tried += 1;
            match self.create_under(request, code, &profile, &contact).await {
                Err(CommandError::Refused(Refused::Customer(customer::Refused::AlreadyExists)))
                    if tried < CODES_TRIED => {}
                done => return done,
            }
        }
    }

    async fn create_under(
        &self,
        request: &Request,
        code: String,
        profile: &Profile,
        contact: &Contact,
    ) -> Result<CustomerId, CommandError> {
        let customer = customer_with_code(&request.tenant, &code);
        let code = code.to_ascii_uppercase();
        let (stream, tenant) = (customer.to_string(), request.tenant.as_str());
        let streams = Streams::new().with::<Customer>(&stream).with::<Preferences>(tenant);
        self.journal
            .execute(request, streams, |unit| {
                let create = Command::Create {
                    at: unit.at(),
                    customer,
                    code: code.clone(),
                    profile: in_the_tenants_zone(unit, tenant, profile.clone()),
                    contact: contact.clone(),
                };
                unit.send::<Customer>(&stream, &create)?;
                Ok(customer)
            })
            .await
    }

    /// Changes what `merge` changes: it gets what is known when the command takes effect, and may run several times.
    /// Answers with the version the customer has then: a reply is kept in the open, so it names nobody, but
    /// [`App::customer_as_of`] tells what the customer was.
    pub async fn update_customer(
        &self,
        request: &Request,
        id: CustomerId,
        merge: impl Fn(&mut Profile, &mut Contact) + Send + Sync,
    ) -> Result<i64, CommandError> {
        let stream = id.to_string();
        self.journal
            .execute(request, Streams::new().with::<Customer>(&stream), |unit| {
                let now = unit.state::<Customer>(&stream);
                let mut profile = now.profile().cloned().unwrap_or_default();
                let mut contact = now.contact().cloned().unwrap_or_default();
                merge(&mut profile, &mut contact);
                let at = unit.at();
                unit.send::<Customer>(&stream, &Command::Update { at, profile, contact })?;
                Ok(unit.version::<Customer>(&stream))
            })
            .await
    }

    /// Forgets the person: the key that opens their data in the log is destroyed in the same append.
    pub async fn forget_customer(&self, request: &Request, id: CustomerId) -> Result<(), CommandError> {
        let stream = id.to_string();
        self.journal
            .execute(request, Streams::new().with::<Customer>(&stream), |unit| {
                let at = unit.at();
                unit.send::<Customer>(&stream, &Command::Forget { at })?;
                Ok(())
            })
            .await
    }

    pub async fn customer(&self, tenant: &TenantId, id: CustomerId) -> Result<Option<CustomerView>, CommandError> {
        Ok(projections::customer::customer(self.journal.views(), tenant, id).await?)
    }

    /// The customer as it was at a version, read from the log: what a command that is sent again is answered with.
    /// `None` where there is no such customer, or the person has been forgotten since.
    pub async fn customer_as_of(
        &self,
        tenant: &TenantId,
        id: CustomerId,
        version: i64,
    ) -> Result<Option<CustomerView>, CommandError> {
        let history = self
            .journal
            .stream_after(tenant, <Customer as Decider>::TYPE, &id.to_string(), 0)
            .await?;
        let mut customer = Customer::default();
        let mut times = None;
        let until = history
            .iter()
            .take_while(|recording| recording.stored.sequence <= version);
        for event in until.flat_map(|recording| &recording.events) {
            let Some(event) = Event::try_from_any(event) else {
                continue;
            };
            Decider::apply(&mut customer, event);
            let (Event::Created { at, .. } | Event::Updated { at, .. } | Event::Forgotten { at, .. }) = event;
            let (created_at, _) = times.unwrap_or((*at, *at));
            times = Some((created_at, *at));
        }
        let (
            Customer::Known {
                code, profile, contact, ..
            },
            Some(times),
        ) = (customer, times)
        else {
            return Ok(None);
        };
        Ok(contact.0.map(|contact| CustomerView {
            id,
            code,
            profile,
            contact,
            forgotten: false,
            position: history.first().map_or(0, |first| first.stored.pos),
            created_at: times.0,
            updated_at: times.1,
        }))
    }

    /// A page of the customers that the filter lets through, in order of their creation.
    pub async fn find_customers(
        &self,
        tenant: &TenantId,
        filter: &Filter,
        page: &Page,
    ) -> Result<Vec<CustomerView>, CommandError> {
        Ok(projections::customer::find(self.journal.views(), tenant, filter, page).await?)
    }

    pub async fn count_customers(&self, tenant: &TenantId, filter: &Filter) -> Result<i64, CommandError> {
        Ok(projections::customer::count(self.journal.views(), tenant, filter).await?)
    }
}

/// The customer that a code belongs to: one code, one customer, whoever asks first. Codes are the same in any case.
pub fn customer_with_code(tenant: &TenantId, code: &str) -> CustomerId {
    CustomerId(tenant.derive(&format!("account/{}", code.to_ascii_uppercase())))
}

/// A customer who names no time zone has the tenant's, as it is when they are created.
pub(super) fn in_the_tenants_zone(unit: &mut Unit<'_>, tenant: &str, profile: Profile) -> Profile {
    let tenants = &unit.state::<Preferences>(tenant).time_zone;
    Profile {
        time_zone: profile.time_zone.or_else(|| tenants.clone()),
        ..profile
    }
}

/// Six letters and digits out of random bits.
fn account_code(random: Uuid) -> String {
    const ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let mut rest = random.as_u128();
    let mut code = String::with_capacity(6);
    for _ in 0..6 {
        code.push(char::from(ALPHABET[usize::try_from(rest % 36).unwrap_or_default()]));
        rest /= 36;
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_code_has_six_letters_and_digits_and_follows_from_its_bits() {
        for bits in [0, 1, 35, 36, u128::MAX, 0x6b1d_5a0e_9c35_5e0b_8d8e_2f6f_41b1_7c11] {
            let code = account_code(Uuid::from_u128(bits));
            assert_eq!(code.len(), 6);
            assert!(
                code.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()),
                "{code}"
            );
            assert_eq!(code, account_code(Uuid::from_u128(bits)));
        }
        assert_ne!(account_code(Uuid::from_u128(1)), account_code(Uuid::from_u128(2)));
    }

    #[test]
    fn a_code_means_the_same_customer_in_any_case_and_another_one_at_another_tenant() {
        let (one, other) = (TenantId::from_stored("t_1"), TenantId::from_stored("t_2"));
        assert_eq!(customer_with_code(&one, "ab12cd"), customer_with_code(&one, "AB12CD"));
        assert_ne!(customer_with_code(&one, "AB12CD"), customer_with_code(&other, "AB12CD"));
    }
}
