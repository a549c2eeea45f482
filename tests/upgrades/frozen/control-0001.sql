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
