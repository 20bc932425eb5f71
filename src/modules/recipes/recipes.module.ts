import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ArtifactsModule } from '../artifacts/index.js';
import { TenancyModule } from '../tenancy/index.js';
import { Recipe } from './recipe.entity.js';
import { RecipesRepository } from './recipes.repository.js';
import { RecipesService } from './recipes.service.js';

@Module({
  imports: [TypeOrmModule.forFeature([Recipe]), ArtifactsModule, TenancyModule],
  providers: [RecipesRepository, RecipesService],
  exports: [RecipesService],
})
export class RecipesModule {}
