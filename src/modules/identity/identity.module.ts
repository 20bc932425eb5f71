import { Module } from '@nestjs/common';
import { TenancyModule } from '../tenancy/index.js';
import { ApplicationCredentialsRepository } from './application-credentials.repository.js';
import { ApplicationCredentialsService } from './application-credentials.service.js';
import { DirectoryService } from './directory.service.js';
import { IdentityPolicy } from './identity.policy.js';
import { IdentityService } from './identity.service.js';
import { PasswordHasher } from './password-hasher.js';
import { SignInService } from './sign-in.service.js';
import { TokensRepository } from './tokens.repository.js';
import { TokensService } from './tokens.service.js';
import { UsersRepository } from './users.repository.js';
import { UsersService } from './users.service.js';

@Module({
  imports: [TenancyModule],
  providers: [
    ApplicationCredentialsRepository,
    ApplicationCredentialsService,
    DirectoryService,
    IdentityPolicy,
    IdentityService,
    PasswordHasher,
    SignInService,
    TokensRepository,
    TokensService,
    UsersRepository,
    UsersService,
  ],
  exports: [
    ApplicationCredentialsService,
    DirectoryService,
    IdentityService,
    SignInService,
    TokensService,
    UsersService,
  ],
})
export class IdentityModule {}
