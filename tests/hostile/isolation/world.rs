//! One of everything that a tenant may have, and ids of the same form that nothing has.

use std::collections::BTreeSet;

use ::billstream::{
    app::{due::Whose, tenants::NewTenant},
    processes::{duties, run::How},
};
use serde_json::{Value, json};

use super::{
    Door,
    billstream::CHARGE,
    chip::{BILLING, TEMPLATE},
    exsited::{ORDER, USAGE},
};
use crate::support::{Answer, TestApp};

/// The values of the table's placeholders.
pub type Ids = Vec<(&'static str, String)>;

pub fn filled(template: &str, ids: &Ids) -> String {
    ids.iter().fold(template.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), value)
    })
}

/// A tenant's credentials at every door.
pub struct Keys {
    wingback: String,
    bearers: [(Door, String); 3],
}

impl Keys {
    pub async fn of(test: &TestApp, tenant: &NewTenant) -> Self {
        let token = json!({"grant_type": "client_credentials", "client_id": tenant.exsited.client_id,
            "client_secret": tenant.exsited.client_secret});
        let token = test.send("POST", "/api/v3/oauth2/token", &[], &token.to_string()).await;
        let token = token.json()["access_token"].as_str().expect("a token").to_owned();
        Self {
            wingback: tenant.wingback.api_key.clone(),
            bearers: [
                (Door::Billstream, format!("Bearer {}", tenant.billstream.api_key)),
                (Door::Chip, format!("Bearer {}", tenant.chip.secret_key)),
                (Door::Exsited, format!("Bearer {token}")),
            ],
        }
    }

    pub async fn send(&self, test: &TestApp, door: Door, method: &str, path: &str, body: &str) -> Answer {
        let mut headers = vec![("content-type", "application/json"), ("x-request-id", "r-1")];
        if door == Door::Wingback {
            headers.push(("wb-key", &self.wingback));
        }
        if let Some((_, bearer)) = self.bearers.iter().find(|(of, _)| *of == door) {
            headers.push(("authorization", bearer));
        }
        test.send(method, path, &headers, body).await
    }

    pub async fn made(&self, test: &TestApp, door: Door, path: &str, body: Value) -> Value {
        let answer = self.send(test, door, "POST", path, &body.to_string()).await;
        assert!((200..300).contains(&answer.status), "{path} {body}: {answer:?}");
        answer.json()
    }

    /// A payment that was asked for, an open fulfilment, and a message to be sent.
    async fn duties(&self, test: &TestApp, account: &str) -> (String, String, String) {
        let mut body: Value = serde_json::from_str(&ORDER.replace("{account}", account)).expect("JSON");
        body["order"]["properties"] = json!({"payment_mode": "AUTOMATIC", "payment_term": "Due on Receipt"});
        let order = self.made(test, Door::Exsited, "/api/v3/orders", body).await;
        let order = order["order"]["id"].as_str().expect("an id");
        let invoices = format!("/api/v3/orders/{order}/invoices");
        self.made(test, Door::Exsited, &invoices, json!({})).await;
        let how = How {
            actor: "test".to_owned(),
            until: test.app.clock.now(),
            at: None,
        };
        let (whose, mut known) = (Whose::RealTime, BTreeSet::new());
        let failed = duties::everything(&test.app, &whose, &how, &mut known, std::future::pending());
        assert_eq!(failed.await.expect("the database"), []);
        let first = async |list: &str| {
            let path = format!("/billstream/v1/{list}");
            let answer = self.send(test, Door::Billstream, "GET", &path, "").await;
            answer.json()[list][0]["id"].as_str().expect("an id").to_owned()
        };
        (
            first("payments").await,
            first("fulfilments").await,
            first("messages").await,
        )
    }

    /// Makes one of everything.
    pub async fn fill(&self, test: &TestApp) -> Ids {
        let read = |value: &Value| value.as_str().expect("an id").to_owned();
        let body = json!({"name": "Northwind", "email": "northwind@example.com", "customer_reference": "northwind-1"});
        let customer = read(&self.made(test, Door::Wingback, "/v1/c/customer", body).await);
        let plan = json!({"name": "Northwind plan", "currency": "EUR", "lines": []});
        let plan = read(&self.made(test, Door::Billstream, "/billstream/v1/plans", plan).await["id"]);
        let body = json!({"customer": customer, "plan": plan, "currency": "eur", "cycle": "month"});
        let contract = read(&self.made(test, Door::Wingback, "/v1/c/contract", body).await);
        let charges = format!("/billstream/v1/contracts/{contract}/charges");
        let body: Value = serde_json::from_str(CHARGE).expect("JSON");
        self.made(test, Door::Billstream, &charges, body.clone()).await;
        let invoices = self
            .made(test, Door::Wingback, "/v1/c/invoice", json!({"contract_id": contract}))
            .await;
        let charge = read(&self.made(test, Door::Billstream, &charges, body).await["id"]);
        let body = json!({"account": {"name": "Northwind", "email_address": "northwind@example.com"}});
        let account = read(&self.made(test, Door::Exsited, "/api/v3/accounts", body).await["account"]["id"]);
        let body: Value = serde_json::from_str(&ORDER.replace("{account}", &account)).expect("JSON");
        let made = self.made(test, Door::Exsited, "/api/v3/orders", body).await;
        let order = read(&made["order"]["id"]);
        let line = read(&made["order"]["lines"][1]["charge_item_uuid"]);
        let body: Value = serde_json::from_str(&USAGE.replace("{line}", &line)).expect("JSON");
        let usage = read(&self.made(test, Door::Exsited, "/api/v3/usages", body).await["usage"]["uuid"]);
        let (payment, fulfilment, message) = self.duties(test, &account).await;
        let body = json!({"email": "northwind@example.com"});
        let client = read(&self.made(test, Door::Chip, "/clients/", body).await["id"]);
        let body: Value = serde_json::from_str(&BILLING.replace("{client}", &client)).expect("JSON");
        let purchase = read(&self.made(test, Door::Chip, "/billing/", body).await[1]);
        let body: Value = serde_json::from_str(TEMPLATE).expect("JSON");
        let template = read(&self.made(test, Door::Chip, "/billing_templates/", body).await["id"]);
        let path = format!("/billing_templates/{template}/add_subscriber/");
        let added = self.made(test, Door::Chip, &path, json!({"client_id": client})).await;
        let subscriber = read(&added["billing_template_client"]["id"]);
        let path = "/api/v3/settings/payment_terms";
        let settings = self.send(test, Door::Exsited, "GET", path, "").await.json();
        let setting = read(&settings["payment_terms"][0]["uuid"]);
        let stream = customer.split_once('_').expect("a class").1.to_owned();
        vec![
            ("customer", customer),
            ("plan", plan),
            ("contract", contract),
            ("invoice", read(&invoices[0])),
            ("charge", charge),
            ("account", account),
            ("order", order),
            ("line", line),
            ("usage", usage),
            ("client", client),
            ("purchase", purchase),
            ("template", template),
            ("subscriber", subscriber),
            ("setting_v4", format!("pt_{}", setting.replace('-', ""))),
            ("setting", setting),
            ("payment", payment),
            ("fulfilment", fulfilment),
            ("message", message),
            ("stream", stream),
            ("type", "customer".to_owned()),
            ("email", "northwind@example.com".to_owned()),
            ("reference", "northwind-1".to_owned()),
        ]
    }
}

/// Ids of the same form that nothing has.
pub fn unknown() -> Ids {
    let uuid = "11111a3a-2b38-4689-a32d-14bf2e62b1a1";
    vec![
        ("customer", format!("Cust_{uuid}")),
        ("plan", format!("Plan_{uuid}")),
        ("contract", format!("Cont_{uuid}")),
        ("invoice", format!("Inv_{uuid}")),
        ("charge", format!("Item_{uuid}")),
        ("payment", format!("Pay_{uuid}")),
        ("fulfilment", format!("Ful_{uuid}")),
        ("message", format!("Msg_{uuid}")),
        ("account", "ZZZZ99".to_owned()),
        ("order", "ORD-ZZZZ99-0001".to_owned()),
        ("line", "22221a3a-2b38-4689-a32d-14bf2e62b1a2".to_owned()),
        ("usage", "33331a3a-2b38-4689-a32d-14bf2e62b1a3".to_owned()),
        ("client", uuid.to_owned()),
        ("purchase", uuid.to_owned()),
        ("template", uuid.to_owned()),
        ("subscriber", uuid.to_owned()),
        ("setting_v4", format!("pt_{}", uuid.replace('-', ""))),
        ("setting", uuid.to_owned()),
        ("stream", uuid.to_owned()),
        ("type", "customer".to_owned()),
        ("email", "nobody@example.com".to_owned()),
        ("reference", "nobody-1".to_owned()),
    ]
}
