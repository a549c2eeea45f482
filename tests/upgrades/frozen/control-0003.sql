CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE installation (
	id INTEGER NOT NULL,
	pepper BLOB NOT NULL,
	position_secret BLOB NOT NULL,
	created_at DATETIME NOT NULL,
	CONSTRAINT pk_installation PRIMARY KEY (id),
	CONSTRAINT ck_installation_ck_installation_one_row CHECK (id = 1)
);

CREATE TABLE organizations (
	id INTEGER NOT NULL,
	name VARCHAR(128) NOT NULL,
	created_at DATETIME NOT NULL,
	CONSTRAINT pk_organizations PRIMARY KEY (id),
	CONSTRAINT uq_organizations_name UNIQUE (name)
);

CREATE TABLE principals (
	id INTEGER NOT NULL,
	organization_id INTEGER NOT NULL,
	name VARCHAR(128) NOT NULL,
	kind VARCHAR(16) NOT NULL,
	created_at DATETIME NOT NULL,
	CONSTRAINT pk_principals PRIMARY KEY (id),
	CONSTRAINT fk_principals_organization_id FOREIGN KEY(organization_id) REFERENCES organizations (id),
	CONSTRAINT uq_principals_organization_id_name UNIQUE (organization_id, name),
	CONSTRAINT uq_principals_organization_id_id UNIQUE (organization_id, id)
);

CREATE TABLE keys (
	key_id VARCHAR(16) NOT NULL,
	organization_id INTEGER NOT NULL,
	principal_id INTEGER NOT NULL,
	hash BLOB NOT NULL,
	name VARCHAR(256) NOT NULL,
	roles JSON NOT NULL,
	workspace_patterns JSON,
	created_at DATETIME NOT NULL,
	last_used_on DATE,
	expires_at DATETIME,
	revoked_at DATETIME,
	CONSTRAINT pk_keys PRIMARY KEY (key_id),
	CONSTRAINT fk_keys_organization_id_principal_id FOREIGN KEY(organization_id, principal_id) REFERENCES principals (organization_id, id),
	CONSTRAINT uq_keys_hash UNIQUE (hash)
);

CREATE INDEX ix_keys_organization_id_key_id ON keys (organization_id, key_id);

CREATE TABLE workspaces (
	organization_id INTEGER NOT NULL,
	name VARCHAR(128) NOT NULL,
	environment VARCHAR(256),
	labels JSON NOT NULL,
	deploy_actions JSON,
	registered_at DATETIME NOT NULL,
	updated_at DATETIME NOT NULL,
	CONSTRAINT pk_workspaces PRIMARY KEY (organization_id, name),
	CONSTRAINT fk_workspaces_organization_id FOREIGN KEY(organization_id) REFERENCES organizations (id)
);

CREATE TABLE identity_providers (
	organization_id INTEGER NOT NULL,
	issuer VARCHAR(256) NOT NULL,
	client_id VARCHAR(256) NOT NULL,
	client_secret_reference VARCHAR(256),
	groups_claim VARCHAR(128) NOT NULL,
	created_at DATETIME NOT NULL,
	disabled_at DATETIME,
	CONSTRAINT pk_identity_providers PRIMARY KEY (organization_id, issuer),
	CONSTRAINT fk_identity_providers_organization_id FOREIGN KEY(organization_id) REFERENCES organizations (id),
	CONSTRAINT ck_identity_providers_ck_identity_providers_secret_elsewhere CHECK (client_secret_reference LIKE 'env:%' OR client_secret_reference LIKE 'file:%')
);

CREATE TABLE principal_identities (
	organization_id INTEGER NOT NULL,
	issuer VARCHAR(256) NOT NULL,
	subject VARCHAR(256) NOT NULL,
	principal_id INTEGER NOT NULL,
	created_at DATETIME NOT NULL,
	disabled_at DATETIME,
	CONSTRAINT pk_principal_identities PRIMARY KEY (organization_id, issuer, subject),
	CONSTRAINT fk_principal_identities_organization_id_issuer FOREIGN KEY(organization_id, issuer) REFERENCES identity_providers (organization_id, issuer),
	CONSTRAINT fk_principal_identities_organization_id_principal_id FOREIGN KEY(organization_id, principal_id) REFERENCES principals (organization_id, id)
);

CREATE INDEX ix_principal_identities_organization_id_principal_id ON principal_identities (organization_id, principal_id);

CREATE TABLE group_roles (
	organization_id INTEGER NOT NULL,
	issuer VARCHAR(256) NOT NULL,
	group_name VARCHAR(256) NOT NULL,
	roles JSON NOT NULL,
	workspace_patterns JSON,
	created_at DATETIME NOT NULL,
	CONSTRAINT pk_group_roles PRIMARY KEY (organization_id, issuer, group_name),
	CONSTRAINT fk_group_roles_organization_id_issuer FOREIGN KEY(organization_id, issuer) REFERENCES identity_providers (organization_id, issuer)
);

CREATE TABLE sessions (
	id INTEGER NOT NULL,
	hash BLOB NOT NULL,
	previous_hash BLOB,
	organization_id INTEGER NOT NULL,
	principal_id INTEGER NOT NULL,
	issuer VARCHAR(256) NOT NULL,
	subject VARCHAR(256) NOT NULL,
	provider_session VARCHAR(256),
	roles JSON NOT NULL,
	workspace_patterns JSON,
	created_at DATETIME NOT NULL,
	rotated_at DATETIME NOT NULL,
	last_seen_at DATETIME NOT NULL,
	expires_at DATETIME NOT NULL,
	ended_at DATETIME,
	CONSTRAINT pk_sessions PRIMARY KEY (id),
	CONSTRAINT uq_sessions_hash UNIQUE (hash),
	CONSTRAINT uq_sessions_previous_hash UNIQUE (previous_hash),
	CONSTRAINT fk_sessions_organization_id_principal_id FOREIGN KEY(organization_id, principal_id) REFERENCES principals (organization_id, id),
	CONSTRAINT fk_sessions_organization_id_issuer_subject FOREIGN KEY(organization_id, issuer, subject) REFERENCES principal_identities (organization_id, issuer, subject)
);

CREATE INDEX ix_sessions_organization_id_principal_id ON sessions (organization_id, principal_id);

CREATE INDEX ix_sessions_expires_at ON sessions (expires_at);

CREATE TABLE dead_letter_resends (
	organization_id INTEGER NOT NULL,
	place VARCHAR(64) NOT NULL,
	resent_at DATETIME NOT NULL,
	position VARCHAR(128),
	CONSTRAINT pk_dead_letter_resends PRIMARY KEY (organization_id, place),
	CONSTRAINT fk_dead_letter_resends_organization_id FOREIGN KEY(organization_id) REFERENCES organizations (id)
);
