import { Injectable } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import findMyWay, { type HTTPMethod } from 'find-my-way';

/** Tells a wrong method from an unknown path, which Fastify's router does not. */
@Injectable()
export class RouteTable {
  private readonly router = findMyWay({ ignoreTrailingSlash: false, maxParamLength: 5_000 });
  private readonly methods = new Set<HTTPMethod>();
  private readonly added: { method: string; path: string }[] = [];

  /** Call before any route is added. */
  watch(instance: FastifyInstance): void {
    instance.addHook('onRoute', (route) => {
      for (const method of [route.method].flat() as HTTPMethod[]) {
        this.methods.add(method);
        this.added.push({ method, path: route.url });
        if (!this.router.hasRoute(method, route.url)) this.router.on(method, route.url, () => undefined);
      }
    });
  }

  /** Every route, in the order in which they were added. */
  all(): readonly { readonly method: string; readonly path: string }[] {
    return this.added;
  }

  /** The methods that a path has, sorted; empty for an unknown path. */
  methodsOf(path: string): string[] {
    const found = [...this.methods].flatMap((method) => {
      const route = this.router.find(method, path);
      return route === null ? [] : [{ method, params: route.params }];
    });
    // Nothing is named by an empty segment: `/images/` is no image, and what takes every path takes that one to refuse it.
    const nameless = found.some(({ params }) => lacksName(params));
    return found
      .filter(({ params }) => !lacksName(params) && !(nameless && '*' in params))
      .map(({ method }) => method)
      .sort();
  }
}

function lacksName(params: Readonly<Record<string, string | undefined>>): boolean {
  return Object.entries(params).some(([name, value]) => name !== '*' && value === '');
}
