import { Module } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { Config } from '../../config/config.js';
import { KeystoneClient } from '../../platform/keystone/keystone-client.js';
import { Log } from '../../platform/logging/log.js';
import { SharedCountersModule } from '../../platform/rate-limit/shared-counters.module.js';
import { SecretsModule } from '../../platform/secrets/secrets.module.js';
import { ProjectsService, TenancyModule } from '../tenancy/index.js';
import { AccessKeysRepository } from './access-keys/access-keys.repository.js';
import { AccessKeysService } from './access-keys/access-keys.service.js';
import { AccessRulesRepository } from './application-credentials/access-rules.repository.js';
import { Administrators } from './administrators.js';
import { ApplicationCredentialsRepository } from './application-credentials/application-credentials.repository.js';
import { ApplicationCredentialsService } from './application-credentials/application-credentials.service.js';
import { BasicSignInService } from './sign-in/basic-sign-in.service.js';
import { DirectoryService } from './directory.service.js';
import { IdentityPolicy } from './identity.policy.js';
import { IdentityService } from './identity.service.js';
import { KeystoneTokenValidator } from './tokens/keystone-token-validator.js';
import { LimitsService } from './limits.service.js';
import { PasswordHasher } from './sign-in/password-hasher.js';
import { ProjectAdministrationService } from './project-administration.service.js';
import { SignInFailures } from './sign-in/sign-in-failures.js';
import { SignInService } from './sign-in/sign-in.service.js';
import { SignatureSignInService } from './sign-in/signature-sign-in.service.js';
import { OwnTokenValidator, TokenValidator } from './tokens/token-validator.js';
import { TokensRepository } from './tokens/tokens.repository.js';
import { TokensService } from './tokens/tokens.service.js';
import { UserAdministrationService } from './users/user-administration.service.js';
import { UsersRepository } from './users/users.repository.js';
import { UsersService } from './users/users.service.js';

/** Where a Keystone is configured, it knows the tokens. */
function makeTokenValidator(
  { keystone }: Config,
  tokens: TokensService,
  projects: ProjectsService,
  clock: Clock,
  log: Log,
): TokenValidator {
  if (!keystone) return new OwnTokenValidator(tokens);
  return new KeystoneTokenValidator(new KeystoneClient(keystone, clock, log), projects, clock, keystone.cacheMs);
}

@Module({
  imports: [TenancyModule, SecretsModule, SharedCountersModule],
  providers: [
    AccessKeysRepository,
    AccessKeysService,
    AccessRulesRepository,
    Administrators,
    ApplicationCredentialsRepository,
    ApplicationCredentialsService,
    BasicSignInService,
    DirectoryService,
    IdentityPolicy,
    IdentityService,
    LimitsService,
    PasswordHasher,
    ProjectAdministrationService,
    SignatureSignInService,
    SignInFailures,
    SignInService,
    TokensRepository,
    TokensService,
    UserAdministrationService,
    UsersRepository,
    UsersService,
    {
      provide: TokenValidator,
      useFactory: makeTokenValidator,
      inject: [Config, TokensService, ProjectsService, Clock, Log],
    },
  ],
  exports: [
    AccessKeysService,
    ApplicationCredentialsService,
    BasicSignInService,
    DirectoryService,
    IdentityService,
    LimitsService,
    ProjectAdministrationService,
    SignatureSignInService,
    SignInService,
    TokensService,
    UserAdministrationService,
    UsersService,
  ],
})
export class IdentityModule {}
