//! Clients: what the vendor knows of one, in and out.

use std::collections::BTreeMap;

use aggregates::customer::{Address, Contact};
use projections::customer::CustomerView;
use serde_json::{Value, json};

use crate::http::chip::{
    country,
    error::Errors,
    fields::{self, Fields},
    wire::Json,
};

/// The fields that are plain text, with their longest.
const TEXTS: [(&str, usize); 17] = [
    ("phone", 32),
    ("full_name", 128),
    ("personal_code", 32),
    ("street_address", 128),
    ("city", 128),
    ("zip_code", 32),
    ("state", 128),
    ("shipping_street_address", 128),
    ("shipping_city", 128),
    ("shipping_zip_code", 32),
    ("shipping_state", 128),
    ("legal_name", 128),
    ("brand_name", 128),
    ("registration_number", 32),
    ("tax_number", 32),
    ("bank_account", 34),
    ("bank_code", 11),
];
const COUNTRIES: [&str; 2] = ["country", "shipping_country"];
/// How many addresses a copy may go to.
const MAX_COPIES: usize = 50;

/// What a request says of a client; fields it does not name are not in here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    pub email: Option<String>,
    texts: BTreeMap<&'static str, String>,
    cc: Option<Vec<String>>,
    bcc: Option<Vec<String>>,
}

impl Details {
    /// Reads a whole client: what is not named is blank.
    pub fn whole(json: &Json) -> Result<Self, Errors> {
        let mut details = Self::read(json, true)?;
        for (name, _) in TEXTS {
            details.texts.entry(name).or_default();
        }
        for name in COUNTRIES {
            details.texts.entry(name).or_default();
        }
        details.cc.get_or_insert_default();
        details.bcc.get_or_insert_default();
        Ok(details)
    }

    /// Reads a change: what is not named stays.
    pub fn partial(json: &Json) -> Result<Self, Errors> {
        Self::read(json, false)
    }

    fn read(json: &Json, whole: bool) -> Result<Self, Errors> {
        let mut fields = Fields::of(json)?;
        let email = if whole {
            fields.required("email", fields::email)
        } else {
            fields.optional("email", fields::email)
        };
        let mut texts = BTreeMap::new();
        for (name, max) in TEXTS {
            if let Some(text) = fields.optional(name, fields::text(max)) {
                texts.insert(name, text);
            }
        }
        for name in COUNTRIES {
            if let Some(code) = fields.optional(name, country_code) {
                texts.insert(name, code);
            }
        }
        let copies = |fields: &mut Fields<'_>, name| {
            let null = fields.has(name) && !fields.given(name);
            if null {
                Some(Vec::new())
            } else {
                fields.optional(name, emails)
            }
        };
        let (cc, bcc) = (copies(&mut fields, "cc"), copies(&mut fields, "bcc"));
        fields.finish()?;
        Ok(Self { email, texts, cc, bcc })
    }

    /// Puts what was said into what is known.
    pub fn apply(&self, contact: &mut Contact) {
        let text = |name: &str, known: &mut Option<String>| {
            if let Some(text) = self.texts.get(name) {
                *known = Some(text.clone()).filter(|text| !text.is_empty());
            }
        };
        if let Some(email) = &self.email {
            contact.emails.insert("main".to_owned(), email.clone());
        }
        text("phone", &mut contact.phone);
        text("full_name", &mut contact.name);
        text("personal_code", &mut contact.personal_code);
        text("legal_name", &mut contact.legal_name);
        text("brand_name", &mut contact.brand_name);
        text("registration_number", &mut contact.registration_number);
        text("tax_number", &mut contact.tax_number);
        text("bank_account", &mut contact.bank_account);
        text("bank_code", &mut contact.bank_code);
        self.apply_address("", &mut contact.address);
        self.apply_address("shipping_", &mut contact.shipping_address);
        if let Some(cc) = &self.cc {
            contact.cc.clone_from(cc);
        }
        if let Some(bcc) = &self.bcc {
            contact.bcc.clone_from(bcc);
        }
    }

    fn apply_address(&self, prefix: &str, known: &mut Option<Address>) {
        let mut address = known.take().unwrap_or_default();
        let get = |name: &str| self.texts.get(format!("{prefix}{name}").as_str()).cloned();
        if let Some(street) = get("street_address") {
            // This dialect has one line for the street: what it says replaces both.
            if street != street_line(&address) {
                address.line_1 = street;
                address.line_2 = None;
            }
        }
        if let Some(city) = get("city") {
            address.city = city;
        }
        if let Some(zip) = get("zip_code") {
            address.zip = zip;
        }
        if let Some(state) = get("state") {
            address.state = Some(state).filter(|state| !state.is_empty());
        }
        if let Some(country) = get("country") {
            address.country = country;
        }
        *known = Some(address).filter(|address| *address != Address::default());
    }

    /// As a client of its own.
    pub fn contact(&self) -> Contact {
        let mut contact = Contact::default();
        self.apply(&mut contact);
        contact
    }
}

fn street_line(address: &Address) -> String {
    match &address.line_2 {
        Some(second) => format!("{}, {second}", address.line_1),
        None => address.line_1.clone(),
    }
}

fn country_code(json: &Json) -> Result<String, Errors> {
    let written = fields::text(128)(json)?;
    if written.is_empty() {
        return Ok(written);
    }
    let code = country::code(&written).ok_or_else(|| fields::choice(&written))?;
    Ok(code.to_owned())
}

fn emails(json: &Json) -> Result<Vec<String>, Errors> {
    let items = fields::list(json)?;
    if items.len() > MAX_COPIES {
        return Err(fields::too_many(MAX_COPIES));
    }
    items.iter().map(fields::email).collect()
}

/// The client as the vendor shows it, without the fields every object has.
pub fn details(contact: &Contact) -> Value {
    let text = |text: &Option<String>| Value::from(text.as_deref().unwrap_or_default());
    let (none, no_shipping) = (Address::default(), Address::default());
    let address = contact.address.as_ref().unwrap_or(&none);
    let shipping = contact.shipping_address.as_ref().unwrap_or(&no_shipping);
    json!({
        "email": contact.main_email().unwrap_or_default(),
        "phone": text(&contact.phone),
        "full_name": text(&contact.name),
        "personal_code": text(&contact.personal_code),
        "street_address": street_line(address),
        "country": address.country,
        "city": address.city,
        "zip_code": address.zip,
        "state": text(&address.state),
        "shipping_street_address": street_line(shipping),
        "shipping_country": shipping.country,
        "shipping_city": shipping.city,
        "shipping_zip_code": shipping.zip,
        "shipping_state": text(&shipping.state),
        "cc": contact.cc,
        "bcc": contact.bcc,
        "legal_name": text(&contact.legal_name),
        "brand_name": text(&contact.brand_name),
        "registration_number": text(&contact.registration_number),
        "tax_number": text(&contact.tax_number),
        "bank_account": text(&contact.bank_account),
        "bank_code": text(&contact.bank_code),
        "delivery_methods": [{"method": "email", "options": {}}],
        "client_type": null,
    })
}

pub fn client(view: &CustomerView) -> Value {
    let mut client = details(&view.contact);
    client["type"] = "client".into();
    client["id"] = view.id.to_string().into();
    client["created_on"] = view.created_at.timestamp().into();
    client["updated_on"] = view.updated_at.timestamp().into();
    client
}
